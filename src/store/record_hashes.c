/* record_hashes.c - rows as hashes for the filters; see record_hashes.h for what is told.
 *
 * Numbers are told as the 8 bytes of an int64, whatever their type: predicates compare integers, booleans and
 * doubles as numbers. The scope byte keeps texts, numbers and the two marks of a field apart. */
#include "store/record_hashes.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

#define SEEN 16384u /* 128 KiB: stays in the second cache */

enum { TOLD_NUMBER = 0x20, TOLD_FIELD = 0x40, TOLD_LONG = 0x80 }; /* added to the scope; on disk */

/* ---- hashes ---- */

static const enum intrinsic told_intrinsics[] = { IN_NAME,       IN_STATUS_MESSAGE, IN_SEVERITY_TEXT,
                                                  IN_EVENT_NAME, IN_SCOPE_NAME,     IN_SCOPE_VERSION };

bool hash_is_told(struct field f)
{
    if (f.scope != FIELD_INTRINSIC) return true;
    for (size_t i = 0; i < COUNT(told_intrinsics); i++)
        if (f.intrinsic == told_intrinsics[i]) return true;
    return false;
}

static uint64_t told(struct field f, unsigned what, struct str value)
{
    char number = (char)f.intrinsic;
    struct str key = f.scope == FIELD_INTRINSIC ? str_make(&number, 1) : f.name;
    return filter_pair_hash((uint8_t)((unsigned)f.scope | what), key, value);
}

uint64_t hash_of_field(struct field f)
{
    return told(f, TOLD_FIELD, STR(""));
}

uint64_t hash_of_long(struct field f)
{
    return told(f, TOLD_LONG, STR(""));
}

static bool whole_number(struct value v, int64_t *i)
{
    if (v.type == VALUE_INT || v.type == VALUE_BOOL) {
        *i = v.i;
        return true;
    }
    if (v.type != VALUE_DOUBLE || !(v.d >= -0x1p63 && v.d < 0x1p63)) return false;
    *i = (int64_t)v.d;
    return (double)*i == v.d;
}

bool hash_of_value(struct field f, struct value v, uint64_t *hash)
{
    int64_t i;
    if (v.type == VALUE_STR || v.type == VALUE_JSON || v.type == VALUE_BYTES) {
        if (v.text.n > HASH_TEXT_MAX) return false;
        *hash = told(f, 0, v.text);
        return true;
    }
    if (!whole_number(v, &i)) return false;
    char bytes[8];
    for (int k = 0; k < 8; k++) bytes[k] = (char)((uint64_t)i >> (8 * k));
    *hash = told(f, TOLD_NUMBER, str_make(bytes, 8));
    return true;
}

uint64_t hash_of_id(const uint8_t id[16])
{
    return filter_id_hash(id, 16);
}

/* ---- a block's collection ---- */

void record_hashes_init(struct record_hashes *h)
{
    *h = (struct record_hashes){ .seen = mem_array(SEEN, sizeof *h->seen) };
}

void record_hashes_release(struct record_hashes *h)
{
    for (size_t c = 0; c < FILTER_CLASSES; c++) mem_free(h->at[c]);
    mem_free(h->seen);
}

void record_hashes_clear(struct record_hashes *h)
{
    for (size_t c = 0; c < FILTER_CLASSES; c++) h->n[c] = 0;
    memset(h->seen, 0, SEEN * sizeof *h->seen);
}

/* True when it was not there a short while ago. A hash of 0 is always taken for new. */
static bool is_new(struct record_hashes *h, uint64_t hash)
{
    uint64_t *slot = &h->seen[hash % SEEN];
    if (*slot == hash && hash != 0) return false;
    *slot = hash;
    return true;
}

static bool tell(struct record_hashes *h, enum filter_class c, uint64_t hash)
{
    if (!is_new(h, hash)) return false;
    h->at[c] = mem_grow(h->at[c], h->n[c], &h->cap[c], sizeof *h->at[c]);
    h->at[c][h->n[c]++] = hash;
    return true;
}

void record_hashes_field(struct record_hashes *h, struct field f)
{
    tell(h, FILTER_WORDS, hash_of_field(f));
}

void record_hashes_id(struct record_hashes *h, const uint8_t id[16])
{
    tell(h, FILTER_IDS, hash_of_id(id));
}

static bool is_word_byte(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 0x80 || (u >= '0' && u <= '9') || ((u | 32) >= 'a' && (u | 32) <= 'z') || u == '_';
}

void record_hashes_words(struct record_hashes *h, struct str text)
{
    while (text.n > 0 && is_word_byte(text.p[text.n - 1])) text.n--;
    while (text.n > 0 && is_word_byte(text.p[0])) text = str_make(text.p + 1, text.n - 1);
    if (text.n == 0) return;
    size_t from = h->n[FILTER_WORDS], kept = from;
    filter_words(text, &h->at[FILTER_WORDS], &h->n[FILTER_WORDS], &h->cap[FILTER_WORDS]);
    uint64_t *at = h->at[FILTER_WORDS];
    for (size_t i = from; i < h->n[FILTER_WORDS]; i++)
        if (is_new(h, at[i])) at[kept++] = at[i];
    h->n[FILTER_WORDS] = kept;
}

void record_hashes_value(struct record_hashes *h, struct field f, struct value v)
{
    uint64_t hash;
    bool is_text = v.type == VALUE_STR || v.type == VALUE_JSON || v.type == VALUE_BYTES;
    if (!hash_of_value(f, v, &hash)) {
        if (is_text) tell(h, FILTER_WORDS, hash_of_long(f));
    } else if (tell(h, FILTER_WORDS, hash) && is_text) {
        record_hashes_words(h, v.text);
    }
}
