/* cli_rules.c - `vedette rules`: rule files checked and tested without a server, as promtool does.
 *
 * Exit status: 0 all is well, 1 something is not, 2 wrong usage, 3 only what --lint-fatal makes of a
 * duplicate. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "judge/rule_check.h"
#include "judge/rule_test.h"
#include "server/cli.h"
#include "store/embedded.h"

static const char usage[] =
    "vedette rules check [--logs] [--lint=all|duplicate-rules|none] [--lint-fatal] FILE...\n"
    "       vedette rules test [--run REGEX] FILE...";

static int wrong_usage(void)
{
    fprintf(stderr, "usage: %s\n", usage);
    return 2;
}

/* ---- check ---- */

static int check_one(const char *path, enum rule_lang lang, bool lint)
{
    struct rule_file *f;
    struct err e = ERR_INIT;
    struct buf found = BUF_INIT(8u << 20);
    printf("Checking %s\n", path);
    fflush(stdout);
    if (rule_file_load(path, lang, &f, &e) < 0) {
        fprintf(stderr, "  FAILED:\n%s\n\n", e.text);
        return 1;
    }
    size_t rules = rule_check_count(f), duplicates = lint ? rule_check_duplicates(f, &found) : 0;
    if (duplicates > 0)
        fprintf(stderr, "  FAILED:\nlint error %zu duplicate rule(s) found.\n%s\n", duplicates,
                buf_cstr(&found));
    else
        printf("  SUCCESS: %zu rules found\n\n", rules);
    buf_release(&found);
    rule_file_free(f);
    return duplicates > 0 ? 3 : 0;
}

static int check_files(int argc, char **argv)
{
    const char *lint = cli_flag(&argc, argv, "--lint");
    bool fatal = cli_switch(&argc, argv, "--lint-fatal"), logs = cli_switch(&argc, argv, "--logs");
    int worst = 0;
    if (cli_no_more_flags(argc, argv, usage) != 0) return 2;
    if (argc == 0) return wrong_usage();
    for (int i = 0; i < argc; i++) {
        int rc =
            check_one(argv[i], logs ? RULE_LOGQL : RULE_PROMQL, lint == NULL || strcmp(lint, "none") != 0);
        if (rc == 3 && !fatal) rc = 0;
        if (rc == 1 || worst == 0) worst = rc;
    }
    return worst;
}

/* ---- test: each test has a store of its own in a folder that goes when it is done ---- */

struct place {
    char dir[256];
};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static struct store *open_store(void *ctx, struct err *e)
{
    struct place *p = ctx;
    const char *tmp = getenv("TMPDIR");
    struct store *store = NULL;
    snprintf(p->dir, sizeof p->dir, "%s/vedette-rules-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(p->dir) == NULL) return err_errno(e, ERR_IO, "%s", p->dir), NULL;
    struct embedded_conf conf = { .dir = p->dir,
                                  .wal_segment_bytes = 1u << 20,
                                  .min_free_bytes = 1u << 20,
                                  .head_bytes = (size_t)256 << 20,
                                  .head_age_ms = 3600000,
                                  .sync_interval_ms = 3600000 };
    if (embedded_open(&conf, &store, e) < 0) nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return store;
}

static void close_store(void *ctx, struct store *store)
{
    struct place *p = ctx;
    store_close(store);
    nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void warn(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "  WARNING: %s\n", text);
}

static int test_one(const char *path, const struct rule_test_host *host)
{
    struct buf failures = BUF_INIT(64u << 20);
    struct err e = ERR_INIT;
    printf("Unit Testing:  %s\n", path);
    fflush(stdout);
    int rc = rule_test_file(path, host, &failures, &e);
    if (rc == OK)
        printf("  SUCCESS\n\n");
    else if (rc == ERR_EXEC && failures.n > 0)
        fprintf(stderr, "  FAILED:\n%s\n", buf_cstr(&failures));
    else
        fprintf(stderr, "  FAILED:\n%s\n\n", e.text);
    buf_release(&failures);
    return rc == OK ? 0 : 1;
}

static int test_files(int argc, char **argv)
{
    struct place place;
    struct rule_test_host host = { &place, open_store, close_store, warn, cli_flag(&argc, argv, "--run") };
    int worst = 0;
    if (cli_no_more_flags(argc, argv, usage) != 0) return 2;
    if (argc == 0) return wrong_usage();
    log_set_level(LOG_ERROR);
    for (int i = 0; i < argc; i++) worst |= test_one(argv[i], &host);
    return worst;
}

int cli_rules(int argc, char **argv)
{
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0))
        return printf("usage: %s\n", usage), 0;
    if (argc > 0 && strcmp(argv[0], "check") == 0) return check_files(argc - 1, argv + 1);
    if (argc > 0 && strcmp(argv[0], "test") == 0) return test_files(argc - 1, argv + 1);
    return wrong_usage();
}
