/* price_impl.h - what price*.c share. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "base/map.h"
#include "model/price.h"

#define PRICE_MODELS_MAX 5000
#define PRICE_PICO_MAX   INT64_C(1000000000000) /* a million dollars a million tokens */
#define PRICE_ID_MAX     200                    /* bytes of a model's id */

/* A way to name a model. */
struct price_key {
    struct str text;     /* lower case; without the * of a prefix */
    struct str provider; /* of the model */
    uint32_t model;
    uint32_t next; /* another key of the same text; PRICE_KEY_NONE */
    bool is_alias, is_prefix;
};
#define PRICE_KEY_NONE UINT32_MAX

struct price_book {
    struct arena arena; /* all of it */
    struct str version;
    struct price_model *models;
    size_t n_models, cap_models;
    struct price_key *keys;
    size_t n_keys, cap_keys;
    struct map by_text; /* hash of text -> the first key that has it; prefixes are not in it */
    atomic_uint refs;
};

/* USD per million tokens with up to 6 decimals; a millionth of that is a pico-dollar a token. */
bool price_read(struct str, int64_t *pico);

struct price_book *price_book_new(void);
/* The models of a file, behind those that are there. */
int price_file_read(struct price_book *, struct str text, const char *where, bool is_override,
                    bool *with_builtin, struct err *);
void price_book_index(struct price_book *); /* once, after the last model */
extern const char price_builtin_yaml[];
