/* The conformance suite of the waist (model/store.h): each case against each kind of store, in each state. */
#include "store/embedded.h"
#include "unit/store/store_model.h"
#include "unit/store/waist_logs.h"
#include "unit/store/waist_record_calls.h"
#include "unit/store/waist_spans.h"
#include "unit/store/waist_summaries.h"
#include "unit/toy_store.c"

/* ---- kinds of stores ---- */

static struct store *toy_open(const char *dir)
{
    (void)dir;
    return toy_store_new();
}

static char *no_dir(void)
{
    return mem_strdup("");
}

static void no_dir_remove(char *dir)
{
    mem_free(dir);
}

static struct store *embedded(const char *dir)
{
    struct store *s;
    struct err e = ERR_INIT;
    struct embedded_conf conf = {
        .dir = dir, .min_free_bytes = 1, .sync_interval_ms = 20, .wal_segment_bytes = 1 << 20
    };
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

static const struct waist_kind toy_kind = { "toy", toy_open, no_dir, no_dir_remove, false };
static const struct waist_kind embedded_kind = { "embedded", embedded, test_dir, test_dir_remove, true };

/* ---- every case, kind and state as a test of its own ---- */

struct check {
    const struct waist_case *what;
    const struct waist_kind *kind;
    enum waist_state state;
    enum table table;
};

static void run_check(void **state)
{
    const struct check *c = *state;
    struct waist w;
    waist_begin(&w, c->kind, c->state);
    w.table = c->table;
    c->what->run(&w);
    waist_end(&w);
}

struct plan {
    struct arena arena;
    struct CMUnitTest *at;
    size_t n, cap;
};

static void plan_add(struct plan *p, struct check c, const char *table)
{
    static const char *const state_names[] = { "in_memory", "flushed", "merged", "half_flushed", "reopened" };
    struct check *keep = arena_alloc(&p->arena, sizeof *keep);
    *keep = c;
    p->at = arena_grow(&p->arena, p->at, p->n, &p->cap, sizeof *p->at);
    p->at[p->n++] = (struct CMUnitTest){
        .name =
            arena_printf(&p->arena, "%s_%s%s_%s", c.kind->name, state_names[c.state], table, c.what->name).p,
        .test_func = run_check,
        .initial_state = keep,
    };
}

static void plan_cases(struct plan *p, const struct waist_kind *kind, const struct waist_case *cases,
                       size_t n, enum table t)
{
    static const char *const table_texts[] = { "", "_logs", "_spans" };
    for (int state = 0; state < (kind->has_files ? WAIST_STATES : 1); state++)
        for (size_t i = 0; i < n; i++)
            plan_add(p, (struct check){ &cases[i], kind, (enum waist_state)state, t }, table_texts[t]);
}

static bool has_records(const struct waist_kind *kind)
{
    struct waist w;
    waist_begin(&w, kind, IN_MEMORY);
    bool has = w.store->ops->records != NULL;
    waist_end(&w);
    return has;
}

static void plan_kind(struct plan *p, const struct waist_kind *kind)
{
    plan_cases(p, kind, sample_cases, COUNT(sample_cases), TABLE_METRICS);
    plan_cases(p, kind, summary_cases, COUNT(summary_cases), TABLE_METRICS);
    if (!has_records(kind)) {
        print_error("SKIPPED: logs and spans of the %s store: it has none\n", kind->name);
        return;
    }
    static const enum table both[] = { TABLE_LOGS, TABLE_SPANS };
    for (size_t t = 0; t < COUNT(both); t++) {
        plan_cases(p, kind, record_cases, COUNT(record_cases), both[t]);
        plan_cases(p, kind, condition_cases, COUNT(condition_cases), both[t]);
        plan_cases(p, kind, record_call_cases, COUNT(record_call_cases), both[t]);
    }
    plan_cases(p, kind, log_cases, COUNT(log_cases), TABLE_LOGS);
    plan_cases(p, kind, span_cases, COUNT(span_cases), TABLE_SPANS);
}

int main(void)
{
    struct plan p = { .arena = ARENA_INIT(SIZE_MAX) };
    plan_kind(&p, &toy_kind);
    plan_kind(&p, &embedded_kind);
    int failed = _cmocka_run_group_tests("waist", p.at, p.n, NULL, NULL);
    arena_release(&p.arena);
    return failed;
}
