/* scripts_test.c - PromQL by script: our own cases in tests/scripts/promql, all of which must pass, and,
 * where it lies beside the project, the public corpus, of which the counts are printed. */
#include "unit/test.h"

#include "unit/query/promql/script.c"

#define OURS   "tests/scripts/promql"
#define CORPUS "../shared/conformance/promql"

struct tally {
    const char *dir;
    size_t passed, failed, files;
};

static int one_file(const char *name, bool is_dir, void *ctx)
{
    struct tally *t = ctx;
    struct script_result r;
    struct err e = ERR_INIT;
    char path[512];
    const char *only = getenv("SCRIPT");

    if (is_dir || !str_ends(str_of(name), ".test") || (only && !strstr(name, only))) return 0;
    snprintf(path, sizeof path, "%s/%s", t->dir, name);
    EXPECT_INT(script_run(path, true, &r, &e), OK);
    printf("    %-28s %4zu of %4zu\n", name, r.passed, r.passed + r.failed);
    t->passed += r.passed;
    t->failed += r.failed;
    t->files++;
    return 0;
}

TEST(our_scripts_all_pass)
{
    struct tally t = { .dir = OURS };
    EXPECT_INT(file_list(OURS, one_file, &t, NULL), OK);
    EXPECT_INT(t.failed, 0);
}

TEST(the_public_corpus_is_counted)
{
    struct tally t = { .dir = CORPUS };
    if (file_list(CORPUS, one_file, &t, NULL) != OK) {
        printf("SKIPPED: no public corpus at " CORPUS "\n");
        skip();
    }
    printf("    corpus: %zu of %zu\n", t.passed, t.passed + t.failed);
}

TESTS(CASE(our_scripts_all_pass), CASE(the_public_corpus_is_counted))
