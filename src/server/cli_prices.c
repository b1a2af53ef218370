/* cli_prices.c - `vedette prices`: what is known of prices, without a server.
 *
 * Exit status: 0 fine, 1 not found or not right, 2 wrong usage. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/file.h"
#include "decode/time_text.h"
#include "model/price.h"
#include "server/cli.h"

static const char usage[] =
    "vedette prices [--file FILE]                        all models\n"
    "       vedette prices check FILE                         is this file right?\n"
    "       vedette prices show [--file FILE] [--at TIME] MODEL   what a call of it costs";

static int wrong_usage(void)
{
    fprintf(stderr, "usage: %s\n", usage);
    return 2;
}

static int open_book(const char *path, struct price_book **out, struct err *e)
{
    struct buf text = BUF_INIT((size_t)16 << 20);
    if (path == NULL) {
        *out = price_book_builtin();
        return OK;
    }
    int rc = file_slurp(path, &text, e);
    if (rc == OK) rc = price_book_read(buf_view(&text), path, out, e);
    buf_release(&text);
    return rc;
}

/* ---- tables ---- */

/* Pico-dollars a token as dollars a million tokens. */
static void put_price(int64_t pico)
{
    char text[MONEY_TEXT_MAX];
    size_t n = money_text(pico * 1000, text);
    printf(" %11.*s", (int)n, text);
}

static void put_heads(void)
{
    printf("%*s", 24, "");
    for (unsigned k = 0; k < PRICE_KINDS; k++) {
        const char *name = price_kind_name((enum price_kind)k);
        printf(" %11.11s", strcmp(name, "cache_write_1h") == 0 ? "write_1h" : name);
    }
    printf("   (USD per million tokens)\n");
}

static void put_rates(const char *what, const struct price_rates *r)
{
    printf("%-24s", what);
    for (unsigned k = 0; k < PRICE_KINDS; k++) put_price(r->pico[k]);
    printf("\n");
}

static void put_model(const struct price_model *m, int64_t at_ns, bool all)
{
    static const int64_t more = GENAI_TOKENS_MAX;
    const struct price_rates *standard = price_rates_at(m, at_ns, 0, CLASS_STANDARD);
    if (standard == NULL) return;
    put_rates("  standard", standard);
    for (unsigned c = CLASS_STANDARD + 1; all && c < CLASSES; c++) {
        const struct price_rates *r = price_rates_at(m, at_ns, 0, (enum genai_class)c);
        char name[32];
        snprintf(name, sizeof name, "  %s", genai_class_name((enum genai_class)c));
        if (memcmp(r, standard, sizeof *r) != 0) put_rates(name, r);
    }
    const struct price_rates *longest = price_rates_at(m, at_ns, more, CLASS_STANDARD);
    if (longest != standard) put_rates("  longest input", longest);
}

static void put_name(const struct price_model *m)
{
    printf("%.*s %.*s (%.*s%s)\n", STR_ARG(m->provider), STR_ARG(m->model),
           m->source.n > 0 ? (int)m->source.n : 7, m->source.n > 0 ? m->source.p : "unnamed",
           m->is_override ? ", yours" : "");
}

/* ---- commands ---- */

static int list(const char *path)
{
    struct price_book *b = NULL;
    struct err e = ERR_INIT;
    if (open_book(path, &b, &e) < 0) return fprintf(stderr, "%s\n", e.text), 1;
    printf("version %.*s, %zu models\n", STR_ARG(price_book_version(b)), price_book_size(b));
    put_heads();
    for (size_t i = 0; i < price_book_size(b); i++) {
        put_name(price_book_at(b, i));
        put_model(price_book_at(b, i), clock_now_ms() * 1000000, false);
    }
    price_book_unref(b);
    return 0;
}

static int check_file(const char *path)
{
    struct price_book *b = NULL;
    struct err e = ERR_INIT;
    size_t yours = 0;
    if (open_book(path, &b, &e) < 0) return fprintf(stderr, "%s\n", e.text), 1;
    for (size_t i = 0; i < price_book_size(b); i++) yours += price_book_at(b, i)->is_override;
    printf("%s: %zu models of its own, %zu in all, version %.*s\n", path, yours, price_book_size(b),
           STR_ARG(price_book_version(b)));
    price_book_unref(b);
    return 0;
}

static int show(const char *path, const char *at, const char *model)
{
    struct price_book *b = NULL;
    struct err e = ERR_INIT;
    enum price_match how;
    int64_t at_ns = clock_now_ms() * 1000000;
    if (at != NULL && !time_from_text(str_of(at), &at_ns))
        return fprintf(stderr, "--at: a time such as 2026-09-01T00:00:00Z is expected\n"), 2;
    if (open_book(path, &b, &e) < 0) return fprintf(stderr, "%s\n", e.text), 1;
    const struct price_model *m = price_book_find(b, STR(""), str_of(model), &how);
    if (m == NULL)
        fprintf(stderr, "%s: no price is known; its calls are unpriced\n", model);
    else {
        printf("%s is priced as (%s) ", model, price_match_name(how));
        put_name(m);
        put_heads();
        put_model(m, at_ns, true);
        if (m->n_periods > 1) printf("  its price hangs on the time: %zu periods\n", m->n_periods);
    }
    price_book_unref(b);
    return m == NULL;
}

int cli_prices(int argc, char **argv)
{
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *path = cli_flag(&argc, argv, "--file"), *at = cli_flag(&argc, argv, "--at");
    if (cli_no_more_flags(argc, argv, usage) != 0) return 2;
    if (argc == 0) return list(path);
    if (argc == 2 && strcmp(argv[0], "check") == 0) return check_file(argv[1]);
    if (argc == 2 && strcmp(argv[0], "show") == 0) return show(path, at, argv[1]);
    return wrong_usage();
}
