/* price_file.c - a table of prices out of YAML: docs/money.md has the format.
 *
 * Whatever is not said is filled in here, so that pricing never asks: a cache read and a cache write cost
 * what input does, an hour's write what a write does, reasoning what output does, audio what text does. In a
 * tier what is not said grows as input (or output) does from the first tier; in a class of service it is the
 * standard price of that tier. */
#include <stdio.h>

#include "base/check.h"
#include "base/yaml.h"
#include "model/price_impl.h"

#define TIERS_MAX   8
#define PERIODS_MAX 64
#define ALIASES_MAX 64

const char *price_kind_name(enum price_kind k)
{
    static const char *const names[PRICE_KINDS] = { "input",  "cache_read", "cache_write", "cache_write_1h",
                                                    "output", "reasoning",  "audio_input", "audio_output" };
    return k < PRICE_KINDS ? names[k] : "";
}

/* ---- rates ---- */

static int read_price(const struct yaml *y, const char *key, int64_t *pico, struct err *e)
{
    struct str text = STR("");
    int rc = yaml_str(y, &text, e);
    if (rc < 0) return rc;
    if (!price_read(text, pico))
        return err_set(e, ERR_PARSE,
                       "line %d: %s: \"%.*s\" is no price: USD per million tokens, at most 6 decimals",
                       y->line, key, (int)MIN(text.n, (size_t)40), text.p);
    if (*pico > PRICE_PICO_MAX)
        return err_set(e, ERR_RANGE, "line %d: %s: more than 1000000 USD per million tokens", y->line, key);
    return OK;
}

static int read_rates(struct yaml *map, struct price_rates *out, struct err *e)
{
    int rc;
    for (unsigned k = 0; k < PRICE_KINDS; k++) {
        const char *key = price_kind_name((enum price_kind)k);
        struct yaml *y = yaml_get(map, key);
        out->pico[k] = PRICE_ABSENT;
        if (y != NULL && (rc = read_price(y, key, &out->pico[k], e)) < 0) return rc;
    }
    return OK;
}

static void fall_back(struct price_rates *r, enum price_kind to, enum price_kind from)
{
    if (r->pico[to] == PRICE_ABSENT) r->pico[to] = r->pico[from];
}

static void fill(struct price_rates *r)
{
    fall_back(r, PRICE_CACHE_READ, PRICE_INPUT);
    fall_back(r, PRICE_CACHE_WRITE, PRICE_INPUT);
    fall_back(r, PRICE_CACHE_WRITE_1H, PRICE_CACHE_WRITE);
    fall_back(r, PRICE_REASONING, PRICE_OUTPUT);
    fall_back(r, PRICE_AUDIO_INPUT, PRICE_INPUT);
    fall_back(r, PRICE_AUDIO_OUTPUT, PRICE_OUTPUT);
}

static int64_t scaled(int64_t v, int64_t times, int64_t by)
{
    if (by == 0) return v;
    return (int64_t)(((__int128)v * times + by / 2) / by);
}

static bool is_output(unsigned kind)
{
    return kind == PRICE_OUTPUT || kind == PRICE_REASONING || kind == PRICE_AUDIO_OUTPUT;
}

/* What a tier does not say grows as what it says does. */
static void fill_tier(struct price_rates *r, const struct price_rates *first)
{
    for (unsigned pass = 0; pass < 2; pass++) { /* input and output themselves before their kin */
        for (unsigned k = 0; k < PRICE_KINDS; k++) {
            bool is_head = k == PRICE_INPUT || k == PRICE_OUTPUT;
            unsigned head = is_output(k) ? PRICE_OUTPUT : PRICE_INPUT;
            if (is_head != (pass == 0) || r->pico[k] != PRICE_ABSENT) continue;
            r->pico[k] = is_head ? first->pico[k] : scaled(first->pico[k], r->pico[head], first->pico[head]);
        }
    }
}

/* What has no price of its own is billed as its kin is, in a class too. */
static struct price_rates with_kin(const struct price_rates *said, const struct price_rates *first)
{
    static const enum price_kind kin[][2] = { { PRICE_REASONING, PRICE_OUTPUT },
                                              { PRICE_AUDIO_INPUT, PRICE_INPUT },
                                              { PRICE_AUDIO_OUTPUT, PRICE_OUTPUT },
                                              { PRICE_CACHE_WRITE_1H, PRICE_CACHE_WRITE } };
    struct price_rates r = *said;
    for (size_t i = 0; i < COUNT(kin); i++)
        if (first->pico[kin[i][0]] == first->pico[kin[i][1]]) fall_back(&r, kin[i][0], kin[i][1]);
    return r;
}

/* A class's price in a tier: as much of the tier's as it is of the first tier's standard price. */
static void fill_class(struct price_tier *tier, enum genai_class c, const struct price_rates *said_only,
                       const struct price_rates *first)
{
    const struct price_rates all = with_kin(said_only, first), *said = &all;
    for (unsigned k = 0; k < PRICE_KINDS; k++) {
        int64_t standard = tier->rates[CLASS_STANDARD].pico[k];
        tier->rates[c].pico[k] =
            said->pico[k] == PRICE_ABSENT ? standard : scaled(said->pico[k], standard, first->pico[k]);
        if (said->pico[k] != PRICE_ABSENT && first->pico[k] == 0) tier->rates[c].pico[k] = said->pico[k];
    }
}

/* ---- conditions ---- */

static bool all_digits(struct str s, size_t from, size_t n, int *out)
{
    *out = 0;
    if (from + n > s.n) return false;
    for (size_t i = from; i < from + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        *out = *out * 10 + (s.p[i] - '0');
    }
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar, counted from 1 March so that leap days come last. */
static int64_t days_since_1970(int y, int m, int d)
{
    int64_t year = m <= 2 ? y - 1 : y;
    int64_t month = m <= 2 ? m + 9 : m - 3;
    return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + d - 1 - 719468;
}

static bool day_exists(int y, int m, int d)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return y >= 1970 && y <= 2200 && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

static int read_from(const struct yaml *y, struct price_period *p, struct err *e)
{
    struct str s = STR("");
    int year, month, day, rc = yaml_str(y, &s, e);
    if (y == NULL || rc < 0) return rc;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !all_digits(s, 0, 4, &year) ||
        !all_digits(s, 5, 2, &month) || !all_digits(s, 8, 2, &day) || !day_exists(year, month, day))
        return err_set(e, ERR_PARSE, "line %d: from: a day such as 2026-09-01 is expected", y->line);
    p->from_ns = days_since_1970(year, month, day) * 86400 * INT64_C(1000000000);
    return OK;
}

static bool read_minute(struct str s, size_t at, int32_t *seconds)
{
    int h, m;
    if (!all_digits(s, at, 2, &h) || s.p[at + 2] != ':' || !all_digits(s, at + 3, 2, &m)) return false;
    *seconds = h * 3600 + m * 60;
    return h <= 24 && m < 60 && *seconds <= 86400;
}

static int read_hours(const struct yaml *y, struct price_period *p, struct err *e)
{
    struct str s = STR("");
    int rc = yaml_str(y, &s, e);
    p->day_from = 0;
    p->day_to = 86400;
    if (y == NULL || rc < 0) return rc;
    if (s.n != 11 || s.p[5] != '-' || !read_minute(s, 0, &p->day_from) || !read_minute(s, 6, &p->day_to) ||
        p->day_from == p->day_to)
        return err_set(e, ERR_PARSE, "line %d: hours: a time of day in UTC such as 00:30-16:30 is expected",
                       y->line);
    return OK;
}

/* ---- a period: its tiers in every class ---- */

struct reading {
    struct price_book *book;
    struct price_rates said[CLASSES]; /* of the classes, by the model */
    struct price_model *model;
    struct err *err;
};

static int read_tier(struct reading *r, struct yaml *y, struct price_tier *tier,
                     const struct price_tier *before)
{
    int rc;
    if (y->kind != YAML_MAP) return err_set(r->err, ERR_PARSE, "line %d: a tier is a map", y->line);
    if (yaml_get(y, "above") == NULL)
        return err_set(r->err, ERR_PARSE, "line %d: a tier needs above", y->line);
    if ((rc = yaml_i64(yaml_get(y, "above"), &tier->above_input, r->err)) < 0) return rc;
    if (tier->above_input <= before->above_input || tier->above_input > GENAI_TOKENS_MAX)
        return err_set(r->err, ERR_RANGE, "line %d: above: tiers go up, from more than 0 tokens", y->line);
    return read_rates(y, &tier->rates[CLASS_STANDARD], r->err);
}

static int check_first(struct reading *r, const struct yaml *y, struct price_rates *first)
{
    bool is_embedding = str_is(r->model->mode, "embedding") || str_is(r->model->mode, "rerank");
    if (first->pico[PRICE_INPUT] == PRICE_ABSENT)
        return err_set(r->err, ERR_PARSE, "line %d: input is missing", y->line);
    if (first->pico[PRICE_OUTPUT] == PRICE_ABSENT && !is_embedding)
        return err_set(r->err, ERR_PARSE, "line %d: output is missing", y->line);
    if (first->pico[PRICE_OUTPUT] == PRICE_ABSENT) first->pico[PRICE_OUTPUT] = 0;
    fill(first);
    return OK;
}

/* rates: a map with the prices of the first tier. list: the others; NULL: none. */
static int read_period(struct reading *r, struct yaml *rates, struct yaml *list, struct price_period *p)
{
    size_t n = list != NULL ? list->n : 0;
    int rc;
    if (list != NULL && (list->kind != YAML_LIST || n > TIERS_MAX))
        return err_set(r->err, ERR_PARSE, "line %d: tiers: a list of at most %d", list->line, TIERS_MAX);
    struct price_tier *t = arena_zero(&r->book->arena, (n + 1) * sizeof *t);
    if ((rc = read_rates(rates, &t[0].rates[CLASS_STANDARD], r->err)) < 0) return rc;
    const struct price_rates *first = &t[0].rates[CLASS_STANDARD];
    if ((rc = check_first(r, rates, &t[0].rates[CLASS_STANDARD])) < 0) return rc;
    for (size_t i = 1; i <= n; i++) {
        if ((rc = read_tier(r, list->items[i - 1], &t[i], &t[i - 1])) < 0) return rc;
        fill_tier(&t[i].rates[CLASS_STANDARD], first);
    }
    for (size_t i = 0; i <= n; i++)
        for (unsigned c = CLASS_STANDARD + 1; c < CLASSES; c++)
            fill_class(&t[i], (enum genai_class)c, &r->said[c], first);
    p->tiers = t;
    p->n_tiers = n + 1;
    return OK;
}

static int read_periods(struct reading *r, struct yaml *list)
{
    int rc;
    if (list->kind != YAML_LIST || list->n == 0 || list->n > PERIODS_MAX)
        return err_set(r->err, ERR_PARSE, "line %d: periods: a list of 1 to %d", list->line, PERIODS_MAX);
    struct price_period *p = arena_zero(&r->book->arena, list->n * sizeof *p);
    for (size_t i = 0; i < list->n; i++) {
        struct yaml *y = list->items[i];
        if (y->kind != YAML_MAP) return err_set(r->err, ERR_PARSE, "line %d: a period is a map", y->line);
        if ((rc = read_from(yaml_get(y, "from"), &p[i], r->err)) < 0) return rc;
        if ((rc = read_hours(yaml_get(y, "hours"), &p[i], r->err)) < 0) return rc;
        if ((rc = read_period(r, y, yaml_get(y, "tiers"), &p[i])) < 0) return rc;
    }
    r->model->periods = p;
    r->model->n_periods = list->n;
    return OK;
}

/* Prices of all time stand in `rates`, those that change in `periods`. */
static int read_prices(struct reading *r, struct yaml *y)
{
    struct yaml *rates = yaml_get(y, "rates"), *periods = yaml_get(y, "periods");
    if ((rates == NULL) == (periods == NULL))
        return err_set(r->err, ERR_PARSE, "line %d: a model needs rates, or periods", y->line);
    if (periods != NULL) return read_periods(r, periods);
    if (rates->kind != YAML_MAP)
        return err_set(r->err, ERR_PARSE, "line %d: rates: a map is expected", rates->line);
    struct price_period *p = arena_zero(&r->book->arena, sizeof *p);
    p->day_to = 86400;
    r->model->periods = p;
    r->model->n_periods = 1;
    return read_period(r, rates, yaml_get(y, "tiers"), p);
}

/* ---- a model ---- */

static int read_text(struct reading *r, struct yaml *y, const char *key, bool is_needed, struct str *out)
{
    struct yaml *v = yaml_get(y, key);
    int rc = yaml_str(v, out, r->err);
    if (rc < 0) return rc;
    if (out->n == 0 && is_needed) return err_set(r->err, ERR_PARSE, "line %d: %s is missing", y->line, key);
    if (out->n > PRICE_ID_MAX) return err_set(r->err, ERR_LIMIT, "line %d: %s: too long", v->line, key);
    *out = arena_str(&r->book->arena, *out);
    return OK;
}

static int read_aliases(struct reading *r, const struct yaml *list)
{
    int rc;
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST || list->n > ALIASES_MAX)
        return err_set(r->err, ERR_PARSE, "line %d: aliases: a list of at most %d", list->line, ALIASES_MAX);
    struct str *a = arena_zero(&r->book->arena, (list->n + 1) * sizeof *a);
    for (size_t i = 0; i < list->n; i++) {
        if ((rc = yaml_str(list->items[i], &a[i], r->err)) < 0) return rc;
        if (a[i].n == 0 || a[i].n > PRICE_ID_MAX || str_is(a[i], "*"))
            return err_set(r->err, ERR_RANGE, "line %d: aliases: 1 to %d bytes each", list->items[i]->line,
                           PRICE_ID_MAX);
        a[i] = arena_str(&r->book->arena, a[i]);
    }
    r->model->aliases = a;
    r->model->n_aliases = list->n;
    return OK;
}

static int read_classes(struct reading *r, struct yaml *y)
{
    int rc;
    for (unsigned c = CLASS_STANDARD + 1; c < CLASSES; c++) {
        struct yaml *map = yaml_get(y, genai_class_name((enum genai_class)c));
        if (map != NULL && map->kind != YAML_MAP)
            return err_set(r->err, ERR_PARSE, "line %d: a class is a map of prices", map->line);
        if ((rc = read_rates(map, &r->said[c], r->err)) < 0) return rc;
    }
    return OK;
}

static int read_request(struct reading *r, const struct yaml *y)
{
    struct str text = STR("");
    int rc = yaml_str(y, &text, r->err);
    if (y == NULL || rc < 0) return rc;
    if (!money_read(text, &r->model->request_nano) || r->model->request_nano > 1000 * NANO_USD)
        return err_set(r->err, ERR_PARSE, "line %d: request: USD a call, 0 to 1000, at most 9 decimals",
                       y->line);
    return OK;
}

static int read_model(struct reading *r, struct yaml *y)
{
    int rc;
    if (y->kind != YAML_MAP) return err_set(r->err, ERR_PARSE, "line %d: a model is a map", y->line);
    if ((rc = read_text(r, y, "provider", true, &r->model->provider)) < 0) return rc;
    if ((rc = read_text(r, y, "model", true, &r->model->model)) < 0) return rc;
    if ((rc = read_text(r, y, "mode", false, &r->model->mode)) < 0) return rc;
    if ((rc = read_text(r, y, "source", false, &r->model->source)) < 0) return rc;
    if ((rc = read_aliases(r, yaml_get(y, "aliases"))) < 0) return rc;
    if ((rc = read_request(r, yaml_get(y, "request"))) < 0) return rc;
    if ((rc = read_classes(r, y)) < 0) return rc;
    return read_prices(r, y);
}

static bool is_same_model(const struct price_model *a, const struct price_model *b)
{
    return str_eq(a->provider, b->provider) && str_eq(a->model, b->model);
}

static int read_models(struct price_book *b, struct yaml *list, bool is_override, struct err *e)
{
    size_t before = b->n_models;
    int rc;
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST)
        return err_set(e, ERR_PARSE, "line %d: models: a list is expected", list->line);
    if (list->n > PRICE_MODELS_MAX) return err_set(e, ERR_LIMIT, "models: more than %d", PRICE_MODELS_MAX);
    for (size_t i = 0; i < list->n; i++) {
        struct price_model m = { .is_override = is_override };
        struct reading r = { .book = b, .model = &m, .err = e };
        if ((rc = read_model(&r, list->items[i])) < 0) return rc;
        for (size_t k = before; is_override && k < b->n_models; k++)
            if (is_same_model(&b->models[k], &m))
                return err_set(e, ERR_RANGE, "line %d: %.*s of %.*s stands there twice", list->items[i]->line,
                               STR_ARG(m.model), STR_ARG(m.provider));
        b->models = arena_grow(&b->arena, b->models, b->n_models, &b->cap_models, sizeof *b->models);
        b->models[b->n_models++] = m;
    }
    return OK;
}

int price_file_read(struct price_book *b, struct str text, const char *where, bool is_override,
                    bool *with_builtin, struct err *e)
{
    struct arena scratch = ARENA_INIT((size_t)256 << 20);
    struct yaml *root = NULL;
    struct str version = STR("");
    int rc;
    if ((rc = yaml_parse(text, where, &scratch, &root, e)) < 0) {
        arena_release(&scratch);
        return rc;
    }
    if (root->kind != YAML_MAP) rc = err_set(e, ERR_PARSE, "a map with version and models is expected");
    if (rc == OK) rc = yaml_str(yaml_get(root, "version"), &version, e);
    if (rc == OK) rc = yaml_bool(yaml_get(root, "builtin"), with_builtin, e);
    if (rc == OK) rc = read_models(b, yaml_get(root, "models"), is_override, e);
    if (rc == OK)
        rc = yaml_unknown(root, where, e);
    else
        err_where(e, "%s", where);
    if (rc == OK && version.n > 64) rc = err_set(e, ERR_LIMIT, "%s: version: at most 64 bytes", where);
    if (rc == OK)
        b->version = b->version.n == 0 ? arena_str(&b->arena, version)
                     : version.n == 0
                         ? b->version
                         : arena_printf(&b->arena, "%.*s, %.*s", STR_ARG(version), STR_ARG(b->version));
    arena_release(&scratch);
    return rc;
}
