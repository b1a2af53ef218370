/* log_pattern.c - see log_pattern.h.
 *
 * A line's tokens (log_pattern_token.h) have a signature: a sum over the tokens of hash(token, place). Lines
 * of one signature are of one pattern. Values that do not look like values (names of users, states, queues)
 * still split what belongs together, so a second rule learns from the lines themselves:
 *
 *     session closed for alice      \   same but for one word: the same "blank", the sum without that word
 *     session closed for bob         >  and with a hole in its place. When JOIN_AT different words have been
 *     session closed for carol      /   seen in one hole, it holds a value: the patterns become one, and
 * later
 *     ...                               lines find the hole open (`open`) at once.
 *
 * JOIN_AT is 5: a value that takes but four words is told apart (VM Started, Paused, Resumed, Stopped), which
 * is what people expect of states. Patterns with fewer than WORDS_LEAST words are never joined: too little
 * would be left to recognise.
 *
 * Always true:
 *   1. `by_signature` leads from every signature seen to a pattern or to one joined into another; `into`
 * leads on to the one that stands for it, whose counts include it.
 *   2. The tables hold what the patterns in memory gave them: after forgetting they are built anew, but for
 * the open holes, which are kept until there are more than OPEN_PER_PATTERN times as many as patterns.
 *
 * A signature is 64 bits: two of a million patterns collide with a chance of 3e-8; then they would share one.
 */
#include "derive/log_pattern.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "derive/log_pattern_token.h"

#define MAX_PATTERNS      4096
#define JOIN_AT           5
#define WORDS_LEAST       3
#define HOLES_MAX         32 /* words of a pattern that are tried as a hole */
#define OPEN_PER_PATTERN  4
#define KNOWN_PER_PATTERN 8 /* signatures that lead to patterns */
#define RATE_NS           300e9
#define TEXT_MAX          (LOG_PATTERN_LINE_MAX + 4 * LOG_PATTERN_TOKENS_MAX)

static const uint64_t hole_hash = 0x2545f4914f6cdd1du, value_hash_seed = 0x9e3779b97f4a7c15u;

struct part { /* a token of a pattern */
    uint64_t hash;
    uint16_t from, n; /* in the text of the line that began it */
    uint8_t kind;
    bool spaced;
};

struct pattern {
    uint64_t signature;
    uint32_t into, scope; /* into: itself, or the one it was joined into */
    uint32_t n_parts;
    struct part *parts; /* NULL once joined */
    char *line;         /* what the parts point into */
    char *text;         /* rendered when first asked for */
    uint64_t lines;
    int64_t first_ns, last_ns;
    double rate; /* decays with RATE_NS */
    uint32_t *buckets;
};

struct hole { /* patterns that differ in one word */
    uint32_t n;
    uint32_t of[JOIN_AT];
};

struct log_patterns {
    struct log_patterns_conf conf;
    struct pattern *at;
    size_t n, cap, joined;
    struct map by_signature; /* -> index into at */
    struct hole *holes;
    size_t n_holes, cap_holes;
    struct map by_hole; /* hash of the blank -> index into holes */
    struct map open;    /* hashes of blanks that hold a value */
    uint64_t forgotten;
    size_t bytes; /* of parts, lines and texts */
};

struct log_patterns *log_patterns_new(const struct log_patterns_conf *conf)
{
    struct log_patterns *m = mem_alloc_zero(sizeof *m);
    m->conf = *conf;
    if (m->conf.max_patterns == 0) m->conf.max_patterns = MAX_PATTERNS;
    check(m->conf.n_buckets == 0 || m->conf.step_ns > 0);
    map_init(&m->by_signature, 256);
    map_init(&m->by_hole, 1024);
    map_init(&m->open, 64);
    return m;
}

static void parts_free(struct log_patterns *m, struct pattern *p)
{
    if (p->parts) m->bytes -= p->n_parts * sizeof *p->parts + strlen(p->line) + 1;
    mem_free(p->parts);
    mem_free(p->line);
    mem_free(p->text);
    mem_free(p->buckets);
    p->parts = NULL;
    p->line = p->text = NULL;
    p->buckets = NULL;
}

void log_patterns_free(struct log_patterns *m)
{
    if (m == NULL) return;
    for (size_t i = 0; i < m->n; i++) parts_free(m, &m->at[i]);
    map_release(&m->by_signature);
    map_release(&m->by_hole);
    map_release(&m->open);
    mem_free(m->holes);
    mem_free(m->at);
    mem_free(m);
}

/* ---- signatures ---- */

static uint64_t mix(uint64_t h, size_t place)
{
    h ^= (uint64_t)place * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static uint64_t signature_of(const struct log_tokens *t, uint32_t scope)
{
    uint64_t sum = mix(scope, LOG_PATTERN_TOKENS_MAX) + t->n;
    for (size_t i = 0; i < t->n; i++) sum += mix(t->at[i].hash, i);
    return sum;
}

/* The sum with something else in one place. */
static uint64_t with(uint64_t signature, uint64_t was, uint64_t is, size_t place)
{
    return signature - mix(was, place) + mix(is, place);
}

static uint64_t value_hash(void)
{
    return hash64(NULL, 0) ^ value_hash_seed;
}

/* ---- joined patterns ---- */

uint32_t log_patterns_now(struct log_patterns *m, uint32_t number)
{
    while (m->at[number].into != number) {
        struct pattern *p = &m->at[number];
        p->into = m->at[p->into].into; /* the way is shorter next time */
        number = p->into;
    }
    return number;
}

static double decayed(const struct pattern *p, int64_t now_ns)
{
    if (p->rate == 0 || now_ns <= p->last_ns) return p->rate;
    return p->rate * exp(((double)p->last_ns - (double)now_ns) / RATE_NS);
}

static void add_buckets(const struct log_patterns *m, struct pattern *to, const struct pattern *from)
{
    if (from->buckets == NULL) return;
    if (to->buckets == NULL) to->buckets = mem_array(m->conf.n_buckets, sizeof *to->buckets);
    for (size_t i = 0; i < m->conf.n_buckets; i++) to->buckets[i] += from->buckets[i];
}

static void join(struct log_patterns *m, uint32_t from, uint32_t to)
{
    from = log_patterns_now(m, from);
    if (from == to) return;
    struct pattern *a = &m->at[from], *b = &m->at[to];
    int64_t last_ns = MAX(a->last_ns, b->last_ns);
    b->rate = decayed(a, last_ns) + decayed(b, last_ns);
    b->lines += a->lines;
    b->first_ns = MIN(a->first_ns, b->first_ns);
    b->last_ns = last_ns;
    add_buckets(m, b, a);
    a->into = to;
    m->joined++;
    parts_free(m, a);
}

/* ---- new patterns ---- */

static uint32_t pattern_make(struct log_patterns *m, uint64_t signature, uint32_t scope)
{
    m->at = mem_grow(m->at, m->n, &m->cap, sizeof *m->at);
    uint32_t number = (uint32_t)m->n++;
    m->at[number] = (struct pattern){
        .signature = signature, .into = number, .scope = scope, .first_ns = INT64_MAX, .last_ns = INT64_MIN
    };
    map_add(&m->by_signature, signature, number);
    return number;
}

static uint32_t pattern_of_line(struct log_patterns *m, uint64_t signature, uint32_t scope,
                                const struct log_tokens *t)
{
    uint32_t number = pattern_make(m, signature, scope);
    struct pattern *p = &m->at[number];
    struct buf line = BUF_INIT(2 * LOG_PATTERN_LINE_MAX);
    p->n_parts = (uint32_t)t->n;
    p->parts = mem_array(MAX(t->n, 1), sizeof *p->parts);
    for (size_t i = 0; i < t->n; i++) {
        const struct log_token *k = &t->at[i];
        p->parts[i] =
            (struct part){ k->hash, (uint16_t)line.n, (uint16_t)k->text.n, (uint8_t)k->kind, k->spaced };
        buf_str(&line, k->text);
    }
    buf_char(&line, 0);
    p->line = mem_copy(line.p, line.n);
    for (char *c = p->line; c < p->line + line.n - 1; c++)
        if (*c == 0) *c = ' ';
    buf_release(&line);
    m->bytes += p->n_parts * sizeof *p->parts + strlen(p->line) + 1;
    return number;
}

/* A copy of a pattern with a value in one place. */
static uint32_t pattern_with_value(struct log_patterns *m, uint64_t signature, uint32_t like, size_t place)
{
    uint32_t number = pattern_make(m, signature, m->at[like].scope);
    const struct pattern *from = &m->at[like];
    struct pattern *p = &m->at[number];
    p->n_parts = from->n_parts;
    p->parts = mem_copy(from->parts, from->n_parts * sizeof *from->parts);
    p->line = mem_strdup(from->line);
    p->parts[place].kind = TOKEN_VALUE;
    p->parts[place].n = 0;
    p->parts[place].hash = value_hash();
    m->bytes += p->n_parts * sizeof *p->parts + strlen(p->line) + 1;
    return number;
}

static size_t words_of(const struct pattern *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_parts; i++) n += p->parts[i].kind == TOKEN_WORD;
    return n;
}

static struct hole *hole_of(struct log_patterns *m, uint64_t hash)
{
    uint64_t *at = map_find(&m->by_hole, hash, NULL, NULL);
    if (at != NULL) return &m->holes[*at];
    m->holes = mem_grow(m->holes, m->n_holes, &m->cap_holes, sizeof *m->holes);
    map_add(&m->by_hole, hash, m->n_holes);
    struct hole *h = &m->holes[m->n_holes++];
    h->n = 0;
    return h;
}

static uint32_t tell_holes(struct log_patterns *, uint32_t number);

/* JOIN_AT patterns differ in this place alone: from now on it holds a value. */
static uint32_t open_hole(struct log_patterns *m, const struct hole *h, uint64_t hash, uint32_t number,
                          size_t place)
{
    struct hole all = *h;
    uint64_t signature = with(m->at[number].signature, m->at[number].parts[place].hash, value_hash(), place);
    uint64_t *known = map_find(&m->by_signature, signature, NULL, NULL);
    bool fresh = known == NULL;
    uint32_t to =
        fresh ? pattern_with_value(m, signature, number, place) : log_patterns_now(m, (uint32_t)*known);

    if (map_find(&m->open, hash, NULL, NULL) == NULL) map_add(&m->open, hash, 1);
    for (size_t i = 0; i < all.n; i++) join(m, all.of[i], to);
    return fresh ? tell_holes(m, to) : to;
}

/* Put a new pattern into the hole of each of its words. The pattern that stands for it afterwards. */
static uint32_t tell_holes(struct log_patterns *m, uint32_t number)
{
    const struct pattern *p = &m->at[number];
    if (words_of(p) < WORDS_LEAST) return number;
    for (size_t i = 0, tried = 0; i < p->n_parts && tried < HOLES_MAX; i++) {
        if (p->parts[i].kind != TOKEN_WORD) continue;
        tried++;
        uint64_t hash = with(p->signature, p->parts[i].hash, hole_hash, i);
        struct hole *h = hole_of(m, hash);
        if (h->n < JOIN_AT) h->of[h->n++] = number;
        if (h->n == JOIN_AT) return open_hole(m, h, hash, number, i);
    }
    return number;
}

/* Words in places that are known to hold values become values. True when one did. */
static bool fill_open_hole(const struct log_patterns *m, struct log_tokens *t, uint64_t *signature)
{
    size_t words = 0;
    for (size_t i = 0; i < t->n; i++) words += t->at[i].kind == TOKEN_WORD;
    if (m->open.n == 0 || words < WORDS_LEAST) return false;
    for (size_t i = 0, tried = 0; i < t->n && tried < HOLES_MAX; i++) {
        struct log_token *k = &t->at[i];
        if (k->kind != TOKEN_WORD) continue;
        tried++;
        if (map_find(&m->open, with(*signature, k->hash, hole_hash, i), NULL, NULL) == NULL) continue;
        *signature = with(*signature, k->hash, value_hash(), i);
        *k = (struct log_token){ TOKEN_VALUE, k->spaced, { NULL, 0 }, value_hash() };
        return true;
    }
    return false;
}

/* ---- forgetting ---- */

static int by_last_seen(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The time before which a quarter of the patterns was last seen. */
static int64_t quarter_time(const struct log_patterns *m)
{
    int64_t *times = mem_array(m->n, sizeof *times);
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->at[i].into == i) times[n++] = m->at[i].last_ns;
    qsort(times, n, sizeof *times, by_last_seen);
    int64_t at = n > 0 ? times[n / 4] : INT64_MIN;
    mem_free(times);
    return at;
}

static void forget(struct log_patterns *m)
{
    size_t live = m->n - m->joined, to_go = live >= m->conf.max_patterns ? MAX(live / 4, 1) : 0, kept = 0;
    int64_t before_ns = to_go > 0 ? quarter_time(m) : INT64_MIN;

    for (size_t i = 0; i < m->n; i++) {
        struct pattern *p = &m->at[i];
        bool stands = p->into == i;
        bool goes = stands && to_go > 0 && p->last_ns <= before_ns;
        if (goes) {
            to_go--;
            m->forgotten++;
            parts_free(m, p);
        }
        if (stands && !goes) m->at[kept++] = *p;
    }
    m->n = kept;
    m->joined = 0;
    map_clear(&m->by_signature);
    map_clear(&m->by_hole);
    m->n_holes = 0;
    if (m->open.n > OPEN_PER_PATTERN * m->conf.max_patterns) map_clear(&m->open);
    for (size_t i = 0; i < m->n; i++) {
        m->at[i].into = (uint32_t)i;
        map_add(&m->by_signature, m->at[i].signature, i);
    }
    for (size_t i = 0, n = m->n; i < n; i++)
        if (m->at[i].into == i) tell_holes(m, (uint32_t)i);
}

static bool is_full(const struct log_patterns *m)
{
    return m->n - m->joined >= m->conf.max_patterns || m->n >= 2 * m->conf.max_patterns ||
           m->by_signature.n >= KNOWN_PER_PATTERN * m->conf.max_patterns;
}

/* ---- lines ---- */

static uint32_t find_or_make(struct log_patterns *m, uint32_t scope, struct str line, bool *is_new)
{
    struct log_tokens t;
    log_tokens_of(line, &t);
    uint64_t first = signature_of(&t, scope), signature = first;
    uint64_t *known;
    uint32_t number;

    do known = map_find(&m->by_signature, signature, NULL, NULL);
    while (known == NULL && fill_open_hole(m, &t, &signature));
    if (known != NULL)
        number = log_patterns_now(m, (uint32_t)*known);
    else
        number = log_patterns_now(m, tell_holes(m, pattern_of_line(m, signature, scope, &t)));
    *is_new = m->at[number].lines == 0; /* else it was joined with what is known */
    if (first != signature)
        map_add(&m->by_signature, first, number); /* such a line is found at once next time */
    return number;
}

static void count(struct log_patterns *m, struct pattern *p, int64_t time_ns)
{
    p->rate = decayed(p, time_ns) + 1;
    p->lines++;
    p->first_ns = MIN(p->first_ns, time_ns);
    p->last_ns = MAX(p->last_ns, time_ns);
    if (m->conf.n_buckets == 0 || time_ns < m->conf.start_ns) return;
    uint64_t i = (uint64_t)(time_ns - m->conf.start_ns) / (uint64_t)m->conf.step_ns;
    if (i >= m->conf.n_buckets) return;
    if (p->buckets == NULL) p->buckets = mem_array(m->conf.n_buckets, sizeof *p->buckets);
    p->buckets[i]++;
}

uint32_t log_patterns_add(struct log_patterns *m, uint32_t scope, struct str line, int64_t time_ns,
                          bool *is_new)
{
    bool fresh;
    if (is_full(m)) forget(m);
    uint32_t number = find_or_make(m, scope, line, &fresh);
    count(m, &m->at[number], time_ns);
    if (is_new) *is_new = fresh;
    return number;
}

/* ---- looking ---- */

static const char *text_of(struct pattern *p)
{
    if (p->text != NULL) return p->text;
    struct buf out = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < p->n_parts; i++) {
        const struct part *k = &p->parts[i];
        if (k->spaced) buf_char(&out, ' ');
        if (k->kind == TOKEN_VALUE)
            buf_cs(&out, "<_>");
        else
            buf_add(&out, p->line + k->from, k->n);
    }
    p->text = str_dup(buf_view(&out));
    buf_release(&out);
    return p->text;
}

void log_patterns_each(struct log_patterns *m, void (*visit)(void *ctx, const struct log_pattern *),
                       void *ctx)
{
    for (size_t i = 0; i < m->n; i++) {
        struct pattern *p = &m->at[i];
        if (p->into != i) continue;
        visit(ctx, &(struct log_pattern){ .number = (uint32_t)i,
                                          .scope = p->scope,
                                          .text = str_of(text_of(p)),
                                          .lines = p->lines,
                                          .first_ns = p->first_ns,
                                          .last_ns = p->last_ns,
                                          .per_s = p->rate / (RATE_NS / 1e9),
                                          .buckets = p->buckets });
    }
}

size_t log_patterns_count(const struct log_patterns *m)
{
    return m->n - m->joined;
}

uint64_t log_patterns_forgotten(const struct log_patterns *m)
{
    return m->forgotten;
}

size_t log_patterns_bytes(const struct log_patterns *m)
{
    return sizeof *m + m->bytes + m->cap * sizeof *m->at + m->cap_holes * sizeof *m->holes +
           map_bytes(&m->by_signature) + map_bytes(&m->by_hole) + map_bytes(&m->open);
}
