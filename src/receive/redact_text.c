/* redact_text.c - rules applied to one text: what the patterns hit in it, and what lies within it when it is
 * JSON.
 *
 * JSON is written anew only when something in it was hit, so that what is left alone is left as it came. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "base/check.h"
#include "receive/redact_impl.h"

#define DEPTH_MAX  4   /* of JSON in a text in JSON ...: deeper ones are text */
#define PATH_BYTES 512 /* longer paths match by their beginning and by their last name */
#define HASH_BYTES 16  /* of the 32: enough that no two secrets meet */

/* ---- globs ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool redact_glob(struct str glob, struct str name)
{
    size_t g = 0, i = 0, star = SIZE_MAX, back = 0;
    while (i < name.n) {
        if (g < glob.n && glob.p[g] == '*') {
            star = g++;
            back = i;
        } else if (g < glob.n && (glob.p[g] == '?' || lower(glob.p[g]) == lower(name.p[i]))) {
            g++, i++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            i = ++back;
        } else
            return false;
    }
    while (g < glob.n && glob.p[g] == '*') g++;
    return g == glob.n;
}

static bool has_key(const struct redact_rule *rule, struct str path, struct str name)
{
    for (size_t i = 0; i < rule->n_keys; i++)
        if (redact_glob(rule->keys[i], path) || (name.n > 0 && redact_glob(rule->keys[i], name))) return true;
    return false;
}

const struct redact_rule *redact_key_rule(const struct redact_at *at, struct str path, struct str name)
{
    for (size_t i = 0; at->r->has_keys && i < at->r->n; i++) {
        const struct redact_rule *rule = &at->r->rules[i];
        if (rule->n_keys == 0 || !(rule->fields & at->field) || !has_key(rule, path, name)) continue;
        stat_add(rule->hits, 1);
        if (!rule->dry_run) return rule;
    }
    return NULL;
}

/* ---- what stands in ---- */

struct str redact_hashed(const struct redact *r, struct str hit, struct arena *a)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t mac[32];
    char *text = arena_alloc(a, 5 + 2 * HASH_BYTES);
    int rc = gnutls_hmac_fast(GNUTLS_MAC_SHA256, r->key, sizeof r->key, hit.p, hit.n, mac);
    if (rc < 0) return STR(REDACTED);
    memcpy(text, "hmac:", 5);
    for (size_t i = 0; i < HASH_BYTES; i++) {
        text[5 + 2 * i] = hex[mac[i] >> 4];
        text[6 + 2 * i] = hex[mac[i] & 15];
    }
    return str_make(text, 5 + 2 * HASH_BYTES);
}

struct str redact_stand_in(const struct redact *r, const struct redact_rule *rule, struct str hit,
                           struct arena *a)
{
    switch (rule->action) {
    case REDACT_DROP: return STR("");
    case REDACT_HASH: return redact_hashed(r, hit, a);
    case REDACT_MASK:
    case REDACT_KEEP_NUMBERS: break;
    }
    return STR(REDACTED);
}

/* ---- patterns ---- */

static bool next_hit(const struct redact_rule *rule, struct str text, size_t from, struct str *hit)
{
    struct str groups[2] = { { NULL, 0 }, { NULL, 0 } };
    if (rule->find != NULL) return rule->find(text, from, hit);
    for (; from <= text.n; from = (size_t)(groups[0].p - text.p) + 1) {
        if (!regex_find(rule->pattern, text, from, groups, regex_groups(rule->pattern) > 0 ? 2 : 1))
            return false;
        *hit = groups[1].n > 0 ? groups[1] : groups[0];
        if (hit->n > 0) return true;
    }
    return false;
}

bool redact_hits(const struct redact_rule *rule, struct str name)
{
    struct str hit;
    return rule->n_keys > 0 ? has_key(rule, name, STR("")) : next_hit(rule, name, 0, &hit);
}

static struct str apply(const struct redact_at *at, const struct redact_rule *rule, struct str text)
{
    struct str hit;
    size_t from = 0;
    struct buf out = BUF_INIT(SIZE_MAX / 2);
    bool changed = false;

    while (next_hit(rule, text, from, &hit)) {
        size_t begin = (size_t)(hit.p - text.p);
        stat_add(rule->hits, 1);
        if (!rule->dry_run) {
            buf_add(&out, text.p + from, begin - from);
            buf_str(&out, redact_stand_in(at->r, rule, hit, at->arena));
            changed = true;
        }
        from = begin + hit.n;
    }
    if (changed) {
        buf_add(&out, text.p + from, text.n - from);
        text = arena_str(at->arena, buf_view(&out));
    }
    buf_release(&out);
    return text;
}

static struct str patterns(const struct redact_at *at, struct str text)
{
    for (size_t i = 0; i < at->r->n; i++) {
        const struct redact_rule *rule = &at->r->rules[i];
        if (rule->n_keys > 0 || !(rule->fields & at->field) || text.n == 0) continue;
        if (rule->must_have != NULL &&
            memmem(text.p, text.n, rule->must_have, strlen(rule->must_have)) == NULL)
            continue;
        text = apply(at, rule, text);
    }
    return text;
}

/* ---- JSON ---- */

struct walk {
    struct redact_at at;
    struct json_reader r;
    struct json_writer w;
    char path[PATH_BYTES];
    size_t path_n;
    bool changed;
};

static void value(struct walk *w, const struct redact_rule *masked);

static void text_value(struct walk *w, struct str path)
{
    struct str text;
    if (!json_string(&w->r, &text)) return;
    struct str kept = redact_text(&w->at, path, text);
    w->changed |= kept.p != text.p || kept.n != text.n;
    json_put_string(&w->w, kept);
}

static void number_value(struct walk *w)
{
    struct str digits;
    if (!json_number_text(&w->r, &digits)) return;
    struct str kept = patterns(&w->at, digits);
    if (kept.p == digits.p) {
        json_put_raw(&w->w, digits);
        return;
    }
    w->changed = true;
    json_put_string(&w->w, kept);
}

/* A value under a key that was named. */
static void hit_value(struct walk *w, const struct redact_rule *rule)
{
    enum json_kind kind = json_peek(&w->r);
    bool is_number = kind == JSON_NUMBER || kind == JSON_BOOL || kind == JSON_NULL;
    struct str raw, text;
    if (rule->action == REDACT_KEEP_NUMBERS && (is_number || kind == JSON_ARRAY || kind == JSON_OBJECT)) {
        value(w, rule);
        return;
    }
    if (kind == JSON_STRING ? !json_string(&w->r, &text) : !json_raw(&w->r, &raw)) return;
    w->changed = true;
    json_put_string(&w->w, redact_stand_in(w->at.r, rule, kind == JSON_STRING ? text : raw, w->at.arena));
}

static size_t path_push(struct walk *w, struct str key)
{
    size_t before = w->path_n;
    if (before > 0 && w->path_n < sizeof w->path) w->path[w->path_n++] = '.';
    size_t n = MIN(key.n, sizeof w->path - w->path_n);
    memcpy(w->path + w->path_n, key.p, n);
    w->path_n += n;
    return before;
}

static void member(struct walk *w, struct str key, const struct redact_rule *masked)
{
    const size_t before = path_push(w, key);
    const struct redact_rule *rule = masked;
    if (rule == NULL) rule = redact_key_rule(&w->at, str_make(w->path, w->path_n), key);
    if (rule != NULL && rule->action == REDACT_DROP) {
        w->changed = true;
        json_skip(&w->r);
    } else {
        struct str kept = patterns(&w->at, key);
        w->changed |= kept.p != key.p;
        json_put_key(&w->w, kept);
        value(w, rule);
    }
    w->path_n = before;
}

/* masked: all below has been named by this rule. */
static void value(struct walk *w, const struct redact_rule *masked)
{
    struct str key;
    bool truth;
    enum json_kind kind = json_peek(&w->r);
    bool whole = masked != NULL && masked->action != REDACT_KEEP_NUMBERS;
    if (masked != NULL && (whole || kind == JSON_STRING)) {
        hit_value(w, masked);
        return;
    }
    switch (kind) {
    case JSON_OBJECT:
        json_object(&w->r);
        json_begin_object(&w->w);
        while (json_key(&w->r, &key)) member(w, key, masked);
        json_end_object(&w->w);
        break;
    case JSON_ARRAY:
        json_array(&w->r);
        json_begin_array(&w->w);
        while (json_next(&w->r)) value(w, masked);
        json_end_array(&w->w);
        break;
    case JSON_STRING: text_value(w, str_make(w->path, w->path_n)); break;
    case JSON_NUMBER: number_value(w); break;
    case JSON_BOOL:
        if (json_bool(&w->r, &truth)) json_put_bool(&w->w, truth);
        break;
    case JSON_NULL:
        json_null(&w->r);
        json_put_null(&w->w);
        break;
    case JSON_NOTHING: json_skip(&w->r); break;
    }
}

/* False: it is no JSON, and nothing was counted on. */
static bool walk_json(const struct redact_at *at, struct str path, struct str json,
                      const struct redact_rule *masked, struct str *out)
{
    struct buf text = BUF_INIT(SIZE_MAX / 2);
    struct walk *w = arena_alloc(at->arena, sizeof *w);
    w->at = *at;
    w->at.depth++;
    w->path_n = MIN(path.n, sizeof w->path);
    w->changed = false;
    memcpy(w->path, path.p, w->path_n);
    json_open(&w->r, json, at->arena);
    w->r.repair = true;
    json_writer_init(&w->w, &text);
    value(w, masked);
    bool is_json = json_close(&w->r, NULL) == OK;
    *out = is_json && w->changed ? arena_str(at->arena, buf_view(&text)) : json;
    buf_release(&text);
    return is_json;
}

static bool may_be_json(struct str t)
{
    t = str_trim(t);
    return t.n >= 2 && ((t.p[0] == '{' && t.p[t.n - 1] == '}') || (t.p[0] == '[' && t.p[t.n - 1] == ']'));
}

/* The text is looked at as text only when it is no JSON: else its hits would count twice. */
struct str redact_text(const struct redact_at *at, struct str path, struct str text)
{
    struct str kept;
    if (at->depth < DEPTH_MAX && may_be_json(text) && walk_json(at, path, text, NULL, &kept)) return kept;
    return patterns(at, text);
}

struct str redact_json(const struct redact_at *at, struct str path, struct str json)
{
    struct str kept;
    return walk_json(at, path, json, NULL, &kept) ? kept : patterns(at, json);
}

struct str redact_json_masked(const struct redact_at *at, const struct redact_rule *rule, struct str json)
{
    struct str kept;
    return walk_json(at, STR(""), json, rule, &kept) ? kept : STR("\"" REDACTED "\"");
}
