/* labels.c - label sets: read from the wire, put in order, packed, compared, printed.
 *
 * Always true:
 *   1. A struct labels that left this file through labels_normalise, labels_from or
 *      labels_unpack_checked is sorted by name in byte order, names are unique and not empty,
 *      values are not empty, and all text is UTF-8.
 *   2. Packed bytes are canonical: minimal varints, pairs in order. Equal sets have equal bytes.
 *   3. Names and values are borrowed from the input; only the array of pairs is taken from the
 *      arena.
 *
 * The wire path (labels_from) runs once per unknown series. Senders sort, so order is verified in the pass
 * that checks the text, and only a set that is out of order is sorted. */
#include "model/labels.h"

#include <stdio.h>

#include "base/check.h"

/* ---- error texts ---- */

enum { SHOWN_MAX = 96 }; /* bytes of a name in an error text */

struct shown {
    char text[SHOWN_MAX * 4 + 4];
};

/* s fit for an error text: cut when long; control and non-ASCII bytes of broken UTF-8 as \xNN. */
static struct shown show(struct str s)
{
    struct shown out;
    size_t n = MIN(s.n, (size_t)SHOWN_MAX), at = 0;
    bool is_text = str_utf8_valid(s) && s.n <= SHOWN_MAX; /* a cut could split a sequence */

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_text))
            at += (size_t)snprintf(out.text + at, sizeof out.text - at, "\\x%02x", c);
        else
            out.text[at++] = (char)c;
    }
    memcpy(out.text + at, s.n > n ? "..." : "", s.n > n ? 4 : 1);
    return out;
}

/* An objection to pairs[i]; names the metric, whatever the order of the pairs. */
static int refuse(const struct label *pairs, size_t n, size_t i, const char *why, struct err *e)
{
    struct str metric = STR("");
    for (size_t k = 0; k < n; k++)
        if (str_is(pairs[k].name, LABEL_NAME)) metric = pairs[k].value;
    struct shown m = show(metric), name = show(pairs[i].name);
    return err_set(e, ERR_RANGE, "metric \"%s\", label \"%s\": %s", m.text, name.text, why);
}

/* ---- normalising ---- */

static const char *pair_fault(const struct label *p)
{
    if (p->name.n == 0) return "the label name is empty";
    if (p->name.n > LABEL_NAME_MAX) return "the label name is too long";
    if (p->value.n > LABEL_VALUE_MAX) return "the label value is too long";
    if (!str_utf8_valid(p->name)) return "the label name is not valid UTF-8";
    if (!str_utf8_valid(p->value)) return "the label value is not valid UTF-8";
    return NULL;
}

/* Insertion sort: sets are small (LABELS_MAX bounds the worst case) and mostly in order. */
static void sort_pairs(struct label *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct label moving = pairs[i];
        size_t k = i;
        for (; k > 0 && str_cmp(moving.name, pairs[k - 1].name) < 0; k--) pairs[k] = pairs[k - 1];
        pairs[k] = moving;
    }
}

static size_t drop_empty(struct label *pairs, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (pairs[i].value.n > 0) pairs[kept++] = pairs[i];
    return kept;
}

int labels_normalise(struct label *pairs, size_t *n, struct err *e)
{
    bool rising = true, any_empty = false;

    if (*n > LABELS_MAX) return refuse(pairs, *n, LABELS_MAX, "too many labels", e);
    for (size_t i = 0; i < *n; i++) {
        const char *fault = pair_fault(&pairs[i]);
        if (UNLIKELY(fault != NULL)) return refuse(pairs, *n, i, fault, e);
        if (pairs[i].value.n == 0) any_empty = true;
        if (i > 0 && str_cmp(pairs[i - 1].name, pairs[i].name) >= 0) rising = false;
    }
    if (!rising) {
        sort_pairs(pairs, *n);
        for (size_t i = 1; i < *n; i++)
            if (str_eq(pairs[i - 1].name, pairs[i].name))
                return refuse(pairs, *n, i, "duplicate label name", e);
    }
    if (any_empty) *n = drop_empty(pairs, *n);
    if (*n == 0) return err_set(e, ERR_RANGE, "a series without labels");
    return OK;
}

/* ---- packed ---- */

static size_t varint_size(size_t v)
{
    size_t n = 1;
    while (v >= 0x80) v >>= 7, n++;
    return n;
}

static char *put_run(char *to, struct str s)
{
    size_t v = s.n;
    while (v >= 0x80) {
        *to++ = (char)(v | 0x80);
        v >>= 7;
    }
    *to++ = (char)v;
    memcpy(to, s.p, s.n);
    return to + s.n;
}

void labels_pack(struct buf *out, struct labels l)
{
    size_t size = 0;
    for (size_t i = 0; i < l.n; i++) {
        const struct label *p = &l.at[i];
        size += varint_size(p->name.n) + p->name.n + varint_size(p->value.n) + p->value.n;
    }
    char *to = buf_room(out, size);
    if (to == NULL) return;
    for (size_t i = 0; i < l.n; i++) {
        to = put_run(to, l.at[i].name);
        to = put_run(to, l.at[i].value);
    }
    buf_added(out, size);
}

struct cursor {
    const unsigned char *p, *end;
};

static struct cursor cursor_of(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    return (struct cursor){ p, s.n ? p + s.n : p };
}

/* A varint of at most 5 bytes below 2^32; minimal asks for the shortest form. */
static bool get_varint(struct cursor *c, bool minimal, size_t *out)
{
    if (LIKELY(c->p < c->end && *c->p < 0x80)) {
        *out = *c->p++;
        return true;
    }
    uint64_t v = 0;
    for (int shift = 0; shift < 35 && c->p < c->end; shift += 7) {
        unsigned char byte = *c->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte >= 0x80) continue;
        *out = (size_t)v;
        return v <= UINT32_MAX && !(minimal && byte == 0 && shift > 0);
    }
    return false;
}

static bool get_run(struct cursor *c, bool minimal, struct str *out)
{
    size_t n;
    if (!get_varint(c, minimal, &n) || n > (size_t)(c->end - c->p)) return false;
    *out = str_make(c->p, n);
    c->p += n;
    return true;
}

struct labels labels_unpack(struct str packed, struct arena *a)
{
    size_t n = 0;
    struct str run;
    for (struct cursor c = cursor_of(packed); c.p < c.end; n++)
        check(get_run(&c, true, &run) && get_run(&c, true, &run));

    struct label *at = arena_array(a, n, sizeof *at);
    struct cursor c = cursor_of(packed);
    for (size_t i = 0; i < n; i++) {
        get_run(&c, true, &at[i].name);
        get_run(&c, true, &at[i].value);
    }
    return (struct labels){ at, n };
}

/* The pairs as they stand, for whoever checks them next; *n ends at most at LABELS_MAX. */
static int packed_pairs(struct str packed, struct label *pairs, size_t *n, struct err *e)
{
    struct cursor c = cursor_of(packed);
    for (*n = 0; c.p < c.end; ++*n) {
        if (*n == LABELS_MAX) return err_set(e, ERR_CORRUPT, "packed labels: more than %d pairs", LABELS_MAX);
        if (!get_run(&c, true, &pairs[*n].name) || !get_run(&c, true, &pairs[*n].value))
            return err_set(e, ERR_CORRUPT, "packed labels: pair %zu is cut off or its length is damaged", *n);
    }
    return OK;
}

static struct labels keep(const struct label *pairs, size_t n, struct arena *a)
{
    struct label *at = arena_array(a, n, sizeof *at);
    memcpy(at, pairs, n * sizeof *at);
    return (struct labels){ at, n };
}

int labels_unpack_checked(struct str packed, struct arena *a, struct labels *out, struct err *e)
{
    struct label pairs[LABELS_MAX];
    size_t n;
    int rc;

    if ((rc = packed_pairs(packed, pairs, &n, e)) < 0) return rc;
    for (size_t i = 0; i < n; i++) {
        const char *fault = pair_fault(&pairs[i]);
        if (fault == NULL && pairs[i].value.n == 0) fault = "the label value is empty";
        if (fault == NULL && i > 0 && str_cmp(pairs[i - 1].name, pairs[i].name) >= 0)
            fault = "labels not in order";
        if (fault == NULL) continue;
        refuse(pairs, n, i, fault, e);
        err_where(e, "packed labels");
        return e ? (e->code = ERR_CORRUPT) : ERR_CORRUPT;
    }
    *out = keep(pairs, n, a);
    return OK;
}

/* ---- protobuf ---- */

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_RUN = 2, WIRE_32 = 5 };

static bool skip_bytes(struct cursor *c, size_t n)
{
    if (n > (size_t)(c->end - c->p)) return false;
    c->p += n;
    return true;
}

/* Past a field that is not ours. Groups (wire types 3 and 4) never occur in proto3. */
static bool skip_field(struct cursor *c, size_t tag)
{
    struct str run;
    switch (tag & 7) {
    case WIRE_VARINT:
        for (int i = 0; i < 10 && c->p < c->end; i++)
            if (*c->p++ < 0x80) return true;
        return false;
    case WIRE_64: return skip_bytes(c, 8);
    case WIRE_RUN: return get_run(c, false, &run);
    case WIRE_32: return skip_bytes(c, 4);
    default: return false;
    }
}

/* Label { string name = 1; string value = 2; }: absent means empty, the last one counts. */
static bool proto_label(struct str message, struct label *out)
{
    struct cursor c = cursor_of(message);
    out->name = out->value = STR("");
    while (c.p < c.end) {
        size_t tag;
        if (!get_varint(&c, false, &tag) || tag >> 3 == 0) return false;
        if (tag == (1 << 3 | WIRE_RUN)) {
            if (!get_run(&c, false, &out->name)) return false;
        } else if (tag == (2 << 3 | WIRE_RUN)) {
            if (!get_run(&c, false, &out->value)) return false;
        } else if (!skip_field(&c, tag)) {
            return false;
        }
    }
    return true;
}

static int proto_pairs(struct str raw, struct label *pairs, size_t *n, struct err *e)
{
    struct cursor c = cursor_of(raw);
    for (*n = 0; c.p < c.end; ++*n) {
        struct str message;
        if (*n == LABELS_MAX) return refuse(pairs, *n, *n - 1, "too many labels", e);
        if (*c.p++ != (1 << 3 | WIRE_RUN) || !get_run(&c, false, &message) ||
            !proto_label(message, &pairs[*n]))
            return err_set(e, ERR_PARSE, "label %zu of a series is not well-formed protobuf", *n);
    }
    return OK;
}

int labels_from(enum labels_spelling spelling, struct str raw, struct arena *a, struct labels *out,
                struct err *e)
{
    struct label pairs[LABELS_MAX];
    size_t n;
    int rc;

    rc = spelling == LABELS_PROTO ? proto_pairs(raw, pairs, &n, e) : packed_pairs(raw, pairs, &n, e);
    if (rc < 0) return rc;
    if ((rc = labels_normalise(pairs, &n, e)) < 0) return rc;
    *out = keep(pairs, n, a);
    return OK;
}

/* ---- the reason of a refusal: looked for only when there is one ---- */

enum reject labels_reject_pairs(const struct label *pairs, size_t n)
{
    if (n > LABELS_MAX) return REJECT_label_limit;
    for (size_t i = 0; i < n; i++) { /* the first objection is the one that was given */
        if (pair_fault(&pairs[i]) == NULL) continue;
        if (pairs[i].name.n == 0) return REJECT_labels;
        if (pairs[i].name.n > LABEL_NAME_MAX || pairs[i].value.n > LABEL_VALUE_MAX) return REJECT_label_limit;
        return REJECT_utf8; /* nothing else is wrong with a single pair */
    }
    return REJECT_labels;
}

enum reject labels_reject(enum labels_spelling spelling, struct str raw)
{
    struct label pairs[LABELS_MAX];
    size_t n;
    int rc =
        spelling == LABELS_PROTO ? proto_pairs(raw, pairs, &n, NULL) : packed_pairs(raw, pairs, &n, NULL);
    if (rc < 0) return n == LABELS_MAX ? REJECT_label_limit : REJECT_labels;
    return labels_reject_pairs(pairs, n);
}

/* ---- looking ---- */

struct hash128 labels_id(struct labels l)
{
    char small[1024];
    struct buf packed = BUF_INIT(SIZE_MAX / 4);
    packed.p = small; /* most sets fit; the heap only for the others */
    packed.cap = sizeof small;

    size_t size = 0;
    for (size_t i = 0; i < l.n; i++) size += l.at[i].name.n + l.at[i].value.n + 2 * 5;
    bool on_heap = size > sizeof small;
    if (on_heap) packed = (struct buf)BUF_INIT(SIZE_MAX / 4);

    labels_pack(&packed, l);
    struct hash128 id = labels_packed_id(buf_view(&packed));
    if (on_heap) buf_release(&packed);
    return id;
}

struct str labels_get_str(struct labels l, struct str name)
{
    for (size_t i = 0; i < l.n; i++)
        if (str_eq(l.at[i].name, name)) return l.at[i].value;
    return STR("");
}

struct str labels_get(struct labels l, const char *name)
{
    return labels_get_str(l, str_of(name));
}

int labels_cmp(struct labels a, struct labels b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int c = str_cmp(a.at[i].name, b.at[i].name);
        if (c == 0) c = str_cmp(a.at[i].value, b.at[i].value);
        if (c != 0) return c;
    }
    return (a.n > b.n) - (a.n < b.n);
}

bool labels_eq(struct labels a, struct labels b)
{
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++)
        if (!str_eq(a.at[i].name, b.at[i].name) || !str_eq(a.at[i].value, b.at[i].value)) return false;
    return true;
}

/* ---- printing ---- */

static bool is_plain(struct str s, bool colon)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) return false;
    }
    return s.n > 0;
}

bool metric_name_is_plain(struct str s)
{
    return is_plain(s, true);
}

bool label_name_is_plain(struct str s)
{
    return is_plain(s, false);
}

static void print_quoted(struct buf *out, struct str s)
{
    buf_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            buf_char(out, '\\'), buf_char(out, (char)c);
        else if (c == '\n')
            buf_cs(out, "\\n");
        else if (c == '\t')
            buf_cs(out, "\\t");
        else if (c == '\r')
            buf_cs(out, "\\r");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\x%02x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
}

void labels_print(struct buf *out, struct labels l)
{
    struct str metric = labels_get(l, LABEL_NAME);
    bool plain = metric_name_is_plain(metric);
    if (plain) buf_str(out, metric);
    if (plain && l.n == 1) return;

    const char *sep = "";
    buf_char(out, '{');
    if (metric.n > 0 && !plain) {
        print_quoted(out, metric);
        sep = ", ";
    }
    for (size_t i = 0; i < l.n; i++) {
        if (str_is(l.at[i].name, LABEL_NAME)) continue;
        buf_cs(out, sep);
        if (label_name_is_plain(l.at[i].name))
            buf_str(out, l.at[i].name);
        else
            print_quoted(out, l.at[i].name);
        buf_char(out, '=');
        print_quoted(out, l.at[i].value);
        sep = ", ";
    }
    buf_char(out, '}');
}
