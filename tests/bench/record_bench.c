/* record_bench - what a record part costs: CPU to write, bytes a row, time to find. Prints floor, goal, ours.
 *
 *     record_bench [SPANS [DIR [LOGHUB-DIR]]]        default: 1000000 spans, /tmp, no log files
 *
 * Spans are synthetic GenAI ones: 12 a trace, 11 attributes on average, ids from a generator, no content;
 * chats resend their history for the row of prompts. Logs are lines of the files given, one stream a file. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/record_part.h"

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const struct err *e)
{
    fprintf(stderr, "%s\n", e->text);
    exit(1);
}

static void row(const char *what, const char *floor, const char *goal, const char *fmt, double ours)
{
    char text[64];
    snprintf(text, sizeof text, fmt, ours);
    printf("  %-46s %14s %14s %14s\n", what, floor, goal, text);
    fflush(stdout);
}

static uint64_t state = 42;
static uint64_t roll(void)
{
    state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = state;
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* ---- synthetic spans ---- */

#define PER_TRACE 12
#define START_NS  INT64_C(1760000400000000000) /* the start of a bucket */

static struct origin services[8];

static void make_services(struct arena *a)
{
    for (uint64_t i = 0; i < 8; i++) {
        struct attr *at = arena_array(a, 5, sizeof *at);
        at[0] = (struct attr){ STR("service.name"), value_str(arena_printf(a, "agent-service-%d", (int)i)) };
        at[1] = (struct attr){ STR("service.version"), value_str(STR("1.4.2")) };
        at[2] = (struct attr){ STR("host.name"), value_str(arena_printf(a, "node-%d", (int)i % 3)) };
        at[3] = (struct attr){ STR("telemetry.sdk.language"), value_str(STR("python")) };
        at[4] = (struct attr){ STR("process.pid"), value_int((int64_t)(1000 + i)) };
        services[i].resource = (struct attrs){ at, 5 };
        services[i].scope_name = STR("opentelemetry.instrumentation.openai");
        services[i].scope_version = STR("0.41b0");
        services[i].id = hash128(&i, sizeof i);
    }
}

static const char *const models[] = { "gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-pro",
                                      "llama-3.3-70b" };
static const char *const tools[] = { "search_web", "read_file", "run_python",
                                     "query_db",   "send_mail", "calculator" };

static void chat(struct arena *a, struct record *r, struct attr *at, uint64_t conversation)
{
    const char *model = models[roll() % 5];
    int64_t in = 200 + (int64_t)(roll() % 4000), out = 20 + (int64_t)(roll() % 800);
    r->span.name = arena_printf(a, "chat %s", model);
    r->span.kind = SPAN_CLIENT;
    at[0] = (struct attr){ STR("gen_ai.operation.name"), value_str(STR("chat")) };
    at[1] = (struct attr){ STR("gen_ai.provider.name"), value_str(STR("openai")) };
    at[2] = (struct attr){ STR("gen_ai.request.model"), value_str(str_of(model)) };
    at[3] = (struct attr){ STR("gen_ai.response.model"), value_str(arena_printf(a, "%s-2025-08", model)) };
    at[4] = (struct attr){ STR("gen_ai.response.id"),
                           value_str(arena_printf(a, "chatcmpl-%016llx", (unsigned long long)roll())) };
    at[5] = (struct attr){ STR("gen_ai.conversation.id"),
                           value_str(arena_printf(a, "conv-%llu", (unsigned long long)conversation)) };
    at[6] = (struct attr){ STR("gen_ai.usage.input_tokens"), value_int(in) };
    at[7] = (struct attr){ STR("gen_ai.usage.output_tokens"), value_int(out) };
    at[8] = (struct attr){ STR("gen_ai.request.temperature"), value_double((double)(roll() % 10) / 10) };
    at[9] = (struct attr){ STR("gen_ai.request.max_tokens"), value_int(1024) };
    at[10] = (struct attr){ STR("server.address"), value_str(STR("api.openai.com")) };
    at[11] = (struct attr){ STR("gen_ai.response.finish_reasons"),
                            { .type = VALUE_JSON, .text = STR("[\"stop\"]") } };
    r->attrs = (struct attrs){ at, 12 };
}

static void tool(struct arena *a, struct record *r, struct attr *at, uint64_t conversation)
{
    const char *name = tools[roll() % 6];
    r->span.name = arena_printf(a, "execute_tool %s", name);
    r->span.kind = SPAN_INTERNAL;
    at[0] = (struct attr){ STR("gen_ai.operation.name"), value_str(STR("execute_tool")) };
    at[1] = (struct attr){ STR("gen_ai.tool.name"), value_str(str_of(name)) };
    at[2] = (struct attr){ STR("gen_ai.tool.call.id"),
                           value_str(arena_printf(a, "call_%012llx", (unsigned long long)roll() >> 16)) };
    at[3] = (struct attr){ STR("gen_ai.tool.type"), value_str(STR("function")) };
    at[4] = (struct attr){ STR("gen_ai.conversation.id"),
                           value_str(arena_printf(a, "conv-%llu", (unsigned long long)conversation)) };
    at[5] = (struct attr){ STR("gen_ai.agent.name"), value_str(STR("researcher")) };
    at[6] = (struct attr){ STR("thread.id"), value_int((int64_t)(roll() % 8)) };
    at[7] = (struct attr){ STR("retry"), value_bool(roll() % 20 == 0) };
    at[8] = (struct attr){ STR("mcp.method.name"), value_str(STR("tools/call")) };
    r->attrs = (struct attrs){ at, 9 };
}

/* One trace; trace ids rise so that rows come in key order. Texts of the history grow when asked for. */
static void make_trace(struct arena *a, uint64_t no, struct record *r, bool with_content)
{
    uint64_t bucket = no / 50000, id[2] = { __builtin_bswap64((no % 50000) << 40 | roll() >> 24), roll() };
    int64_t at_ns =
        START_NS + (int64_t)bucket * INT64_C(600000000000) + (int64_t)(roll() % UINT64_C(590000000000));
    struct buf history = BUF_INIT(SIZE_MAX / 4);
    uint64_t root = roll();
    for (int i = 0; i < PER_TRACE; i++) {
        struct attr *at = arena_array(a, 16, sizeof *at);
        uint64_t span = i ? roll() : root;
        r[i] = (struct record){ .time_ns = at_ns, .origin = &services[no % 8], .flags = 1 };
        memcpy(r[i].trace_id, id, 16);
        memcpy(r[i].span_id, &span, 8);
        if (i) memcpy(r[i].span.parent_id, &root, 8);
        r[i].span.duration_ns = 1000000 + (int64_t)(roll() % 3000000000u);
        r[i].span.status = roll() % 50 ? 0 : 2;
        if (r[i].span.status) r[i].span.status_message = STR("rate limited");
        if (i % 2 == 0)
            chat(a, &r[i], at, no);
        else
            tool(a, &r[i], at, no);
        at_ns += 1000000 + (int64_t)(roll() % 500000000);
        if (!with_content || i % 2) continue;
        buf_printf(&history, "{\"role\":\"user\",\"parts\":[{\"type\":\"text\",\"content\":\"");
        for (int w = 0; w < 300; w++)
            buf_printf(&history, "%s%llu ", tools[roll() % 6], (unsigned long long)(roll() % 1000));
        buf_cs(&history, "\"}]},");
        at[12] = (struct attr){ STR("gen_ai.input.messages"), value_str(arena_str(a, buf_view(&history))) };
        r[i].attrs.n = 13;
    }
    buf_release(&history);
}

static size_t raw_bytes(const struct record *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->attrs.n; i++) {
        const struct value *v = &r->attrs.at[i].value;
        if (v->type == VALUE_STR || v->type == VALUE_JSON) n += v->text.n > 512 ? v->text.n : 0;
    }
    return n;
}

static double write_spans(const char *path, size_t n, bool with_content, struct record_part_info *info,
                          double *raw)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct record_writer *w;
    struct record r[PER_TRACE];
    double spent = 0;
    unlink(path);
    if (record_writer_open(path, record_layout(TABLE_SPANS), 0, 1, 1, &w, &e) < 0) die(&e);
    for (size_t i = 0; i < n / PER_TRACE; i++) {
        make_trace(&a, i, r, with_content);
        double from = cpu_ns();
        for (int k = 0; k < PER_TRACE; k++) {
            *raw += (double)raw_bytes(&r[k]);
            if (record_writer_add(w, &r[k], 1, &e) < 0) die(&e);
        }
        spent += cpu_ns() - from;
        arena_reset(&a);
    }
    double from = cpu_ns();
    if (record_writer_finish(w, info, &e) < 0) die(&e);
    arena_release(&a);
    return spent + cpu_ns() - from;
}

/* ---- asking ---- */

struct answer {
    size_t rows, blocks;
    double ms;
};

static struct answer ask(struct record_part *p, const struct predicate *where)
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct answer out = { 0 };
    uint64_t *may, bits[RECORD_BLOCK_ROWS / 64];
    size_t n;
    struct record_block *b = record_block_new(p);
    double from = cpu_ns();
    if (record_part_candidates(p, where, INT64_MIN, INT64_MAX, &a, &may, &n, &e) < 0) die(&e);
    for (size_t i = 0; i < n; i++) {
        if (!(may[i / 64] >> i % 64 & 1)) continue;
        if (record_block_seek(b, i, &e) < 0) die(&e);
        if (record_block_match(b, where, INT64_MIN, INT64_MAX, bits, &e) < 0) die(&e);
        for (size_t k = 0; k < (record_block_rows(b) + 63) / 64; k++)
            out.rows += (size_t)__builtin_popcountll(bits[k]);
        out.blocks++;
    }
    out.ms = (cpu_ns() - from) / 1e6;
    record_block_free(b);
    arena_release(&a);
    return out;
}

static void ask_twice(struct record_part *p, const char *what, const char *goal,
                      const struct predicate *where, double scale)
{
    char text[96];
    struct answer cold = ask(p, where), warm = ask(p, where);
    snprintf(text, sizeof text, "%s (%zu rows, %zu blocks)", what, warm.rows, warm.blocks);
    row(text, "", goal, "%.2f ms", warm.ms * scale);
    snprintf(text, sizeof text, "  the first time, filters read");
    row(text, "", "", "%.2f ms", cold.ms * scale);
}

static void fetch_trace(struct record_part *p, const uint8_t id[16])
{
    struct err e = ERR_INIT;
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct predicate where = { .op = PRED_EQ,
                               .field = field_in(IN_TRACE_ID),
                               .value = { .type = VALUE_BYTES, .text = str_make(id, 16) } };
    uint64_t *may, bits[RECORD_BLOCK_ROWS / 64];
    size_t n, found = 0;
    double from = cpu_ns();
    struct record_block *b = record_block_new(p);
    if (record_part_candidates(p, &where, INT64_MIN, INT64_MAX, &a, &may, &n, &e) < 0) die(&e);
    for (size_t i = 0; i < n; i++) {
        uint32_t rows[RECORD_BLOCK_ROWS];
        size_t k = 0;
        if (!(may[i / 64] >> i % 64 & 1)) continue;
        if (record_block_seek(b, i, &e) < 0 ||
            record_block_match(b, &where, INT64_MIN, INT64_MAX, bits, &e) < 0)
            die(&e);
        for (uint32_t j = 0; j < record_block_rows(b); j++)
            if (bits[j / 64] >> j % 64 & 1) rows[k++] = j;
        struct record *r = arena_array(&a, k, sizeof *r);
        if (record_block_records(b, rows, k, &a, r, &e) < 0) die(&e);
        found += k;
    }
    record_block_free(b);
    char text[96];
    snprintf(text, sizeof text, "trace by id, whole records (%zu rows)", found);
    row(text, "0.2 ms", "<= 3 ms", "%.3f ms", (cpu_ns() - from) / 1e6);
    arena_release(&a);
}

static void bench_spans(size_t n, const char *path)
{
    struct err e = ERR_INIT;
    struct record_part_info info;
    struct record_part *p;
    double raw = 0, spent = write_spans(path, n, false, &info, &raw);
    printf("spans: %llu of 11 attributes, %llu blocks\n", (unsigned long long)info.rows,
           (unsigned long long)info.blocks);
    printf("  %-46s %14s %14s %14s\n", "", "floor", "goal", "ours");
    row("bytes a span", "33", "<= 45", "%.1f", (double)info.bytes / (double)info.rows);
    row("writing, us a span", "", "< 1.5", "%.2f", spent / 1e3 / (double)info.rows);

    if (record_part_open(path, record_layout(TABLE_SPANS), &p, &e) < 0) die(&e);
    struct predicate id = { .op = PRED_EQ,
                            .field = field_attr(FIELD_ATTR, STR("gen_ai.conversation.id")),
                            .value = value_str(STR("conv-777")) };
    struct predicate model = { .op = PRED_EQ,
                               .field = field_attr(FIELD_ATTR, STR("gen_ai.request.model")),
                               .value = value_str(STR("gpt-4o")) };
    struct predicate tokens = { .op = PRED_GT,
                                .field = field_attr(FIELD_ATTR, STR("gen_ai.usage.input_tokens")),
                                .value = value_int(4190) };
    struct predicate service = { .op = PRED_EQ,
                                 .field = field_attr(FIELD_RESOURCE, STR("service.name")),
                                 .value = value_str(STR("agent-service-3")) };
    struct predicate absent = { .op = PRED_EQ,
                                .field = field_attr(FIELD_ATTR, STR("gen_ai.tool.name")),
                                .value = value_str(STR("no_such_tool")) };
    printf("one core, CPU time, as for 10 million spans:\n");
    double scale = 1e7 / (double)info.rows;
    ask_twice(p, "conversation id", "<= 200 (2 cores: 100)", &id, scale);
    ask_twice(p, "model", "<= 200", &model, scale);
    ask_twice(p, "input tokens > 4190", "<= 200", &tokens, scale);
    ask_twice(p, "service", "<= 200", &service, scale);
    ask_twice(p, "a value that is nowhere", "<= 200", &absent, scale);
    printf("as it is:\n");
    struct record_key mid = record_part_info(p)->last;
    fetch_trace(p, mid.id);
    fetch_trace(p, mid.id);
    record_part_close(p);

    raw = 0;
    spent = write_spans(path, MIN(n / 20, (size_t)60000), true, &info, &raw);
    row("prompts: raw/stored", "x16", ">= x10", "x%.1f", raw / (double)info.content_bytes);
    row("writing prompts, MB/s", "", "", "%.0f", raw / spent * 1e3);
    unlink(path);
}

/* ---- logs ---- */

static void add_lines(struct arena *a, const char *dir, const char *name, struct record **r, size_t *n,
                      size_t *cap, size_t *raw)
{
    char path[1024];
    struct err e = ERR_INIT;
    struct buf text = BUF_INIT(1u << 30);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (file_slurp(path, &text, &e) < 0) {
        buf_release(&text);
        return;
    }
    struct origin *o = arena_zero(a, sizeof *o);
    struct attr *at = arena_array(a, 1, sizeof *at);
    at[0] = (struct attr){ STR("service.name"), value_str(arena_str(a, str_of(name))) };
    o->resource = (struct attrs){ at, 1 };
    o->id = hash128(name, strlen(name));
    struct str rest = arena_str(a, buf_view(&text));
    for (size_t i = 0; rest.n > 0; i++) {
        struct str line = str_trim(str_cut(rest, '\n', &rest));
        if (line.n == 0) continue;
        *r = mem_grow(*r, *n, cap, sizeof **r);
        (*r)[*n] = (struct record){ .time_ns = START_NS + (int64_t)i * 10000000, .origin = o };
        (*r)[*n].log.body = value_str(line);
        (*r)[*n].log.severity = 9;
        (*n)++;
        *raw += line.n + 1;
    }
    buf_release(&text);
}

static int by_key(const void *a, const void *b)
{
    struct record_key x, y;
    record_key_of(record_layout(TABLE_LOGS), a, &x);
    record_key_of(record_layout(TABLE_LOGS), b, &y);
    return record_key_cmp(&x, &y);
}

static void bench_logs(const char *dir, const char *path)
{
    struct arena a = ARENA_INIT(SIZE_MAX);
    struct err e = ERR_INIT;
    struct record *r = NULL;
    size_t n = 0, cap = 0, raw = 0;
    DIR *d = opendir(dir);
    if (d == NULL) {
        printf("logs: %s cannot be read: SKIPPED\n", dir);
        return;
    }
    for (struct dirent *f; (f = readdir(d)) != NULL;) {
        char name[600]; /* DIR/Apache/Apache_2k.log */
        snprintf(name, sizeof name, "%s/%s_2k.log", f->d_name, f->d_name);
        add_lines(&a, dir, name, &r, &n, &cap, &raw);
    }
    closedir(d);
    if (n == 0) {
        printf("logs: no NAME/NAME_2k.log in %s: SKIPPED\n", dir);
        return;
    }
    qsort(r, n, sizeof *r, by_key);
    struct record_writer *w;
    struct record_part_info info;
    unlink(path);
    double from = cpu_ns();
    if (record_writer_open(path, record_layout(TABLE_LOGS), 0, 1, 1, &w, &e) < 0) die(&e);
    for (size_t i = 0; i < n; i++)
        if (record_writer_add(w, &r[i], 1, &e) < 0) die(&e);
    if (record_writer_finish(w, &info, &e) < 0) die(&e);
    double spent = cpu_ns() - from;
    printf("logs: %zu lines, %zu bytes, %.0f a line, %llu blocks\n", n, raw, (double)raw / (double)n,
           (unsigned long long)info.blocks);
    row("raw/stored, filters included", "8.5", ">= 8", "%.2f", (double)raw / (double)info.bytes);
    row("writing, us a line", "", "", "%.2f", spent / 1e3 / (double)n);
    unlink(path);
    mem_free(r);
    arena_release(&a);
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)atoll(argv[1]) : 1000000;
    char path[512];
    struct arena a = ARENA_INIT(SIZE_MAX);
    snprintf(path, sizeof path, "%s/record_bench.%d", argc > 2 ? argv[2] : "/tmp", (int)getpid());
    make_services(&a);
    bench_spans(n, path);
    if (argc > 3) bench_logs(argv[3], path);
    arena_release(&a);
    return 0;
}
