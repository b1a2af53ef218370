/* api_loki_names.c - labels, label values, series and detected labels: what streams there are. */
#include "base/json.h"
#include "tell/api_loki_impl.h"
#include "tell/prom_json.h"

static bool is_internal(struct str name)
{
    return str_starts(name, "__");
}

/* Streams that the query, if there is one, selects. */
static int open_queried(struct log_streams *s, struct http_exchange *x, const struct logs_api *api,
                        struct err *e)
{
    int rc = log_streams_open(s, x, api, e);
    return rc < 0 ? rc : log_streams_add(s, http_param(x, "query"), e);
}

static void answer_names(struct http_exchange *x, const struct name_set *names)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    buf_cs(&out, "{\"status\":\"success\",\"data\":[");
    for (size_t i = 0; i < names->n; i++) {
        if (i > 0) buf_char(&out, ',');
        json_escape(&out, names->at[i].name);
    }
    buf_cs(&out, "]}");
    loki_answer(x, &out);
}

/* ---- labels and their values ---- */

static void run_labels(struct http_exchange *x, const struct logs_api *api)
{
    struct log_streams s;
    struct name_set names;
    struct err e = ERR_INIT;

    int rc = open_queried(&s, x, api, &e);
    name_set_init(&names, &s.c.arena);
    for (size_t i = 0; i < s.n && rc == OK; i++)
        for (size_t k = 0; k < s.labels[i].n; k++)
            if (!is_internal(s.labels[i].at[k].name)) name_set_add(&names, s.labels[i].at[k].name, 1);
    name_set_sort(&names);
    if (rc < 0)
        loki_error(x, &e);
    else
        answer_names(x, &names);
    log_streams_close(&s);
}

static void run_label_values(struct http_exchange *x, const struct logs_api *api)
{
    struct log_streams s;
    struct name_set values;
    struct err e = ERR_INIT;
    struct str name = http_path_param(x, "name");

    int rc = open_queried(&s, x, api, &e);
    name_set_init(&values, &s.c.arena);
    for (size_t i = 0; i < s.n && rc == OK; i++) {
        struct str value = labels_get_str(s.labels[i], name);
        if (value.n > 0) name_set_add(&values, value, 1);
    }
    name_set_sort(&values);
    if (rc < 0)
        loki_error(x, &e);
    else
        answer_names(x, &values);
    log_streams_close(&s);
}

void handle_loki_labels(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_labels);
}

void handle_loki_label_values(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_label_values);
}

/* ---- series ---- */

static int add_matches(struct log_streams *s, struct http_exchange *x, const char *name, size_t *selectors,
                       struct err *e)
{
    struct str *all;
    size_t n = http_params(x, name, &all);
    int rc = OK;
    for (size_t i = 0; i < n && rc == OK; i++) rc = log_streams_add(s, all[i], e);
    *selectors += n;
    return rc;
}

static int open_matched(struct log_streams *s, struct http_exchange *x, const struct logs_api *api,
                        struct err *e)
{
    size_t selectors = 0;
    int rc = log_streams_open(s, x, api, e);
    if (rc == OK) rc = add_matches(s, x, "match[]", &selectors, e);
    if (rc == OK) rc = add_matches(s, x, "match", &selectors, e);
    if (rc == OK && selectors == 0) rc = log_streams_add(s, (struct str){ NULL, 0 }, e);
    return rc;
}

static void run_series(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct log_streams s;
    struct err e = ERR_INIT;

    if (open_matched(&s, x, api, &e) < 0) {
        loki_error(x, &e);
    } else {
        buf_cs(&out, "{\"status\":\"success\",\"data\":[");
        for (size_t i = 0; i < s.n; i++) {
            if (i > 0) buf_char(&out, ',');
            prom_put_labels(&out, s.labels[i]);
        }
        buf_cs(&out, "]}");
        loki_answer(x, &out);
    }
    log_streams_close(&s);
}

void handle_loki_series(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_series);
}

/* ---- detected labels ---- */

/* How many values each label has, over streams that are distinct: pairs are counted once. */
static void count_values(const struct log_streams *s, struct name_set *labels)
{
    struct name_set pairs;
    struct arena scratch = ARENA_INIT((size_t)256 << 20);
    name_set_init(&pairs, &scratch);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->labels[i].n; k++) {
            struct label l = s->labels[i].at[k];
            if (is_internal(l.name)) continue;
            size_t before = pairs.n;
            name_set_add(&pairs, arena_printf(&scratch, "%.*s=%.*s", STR_ARG(l.name), STR_ARG(l.value)), 1);
            if (pairs.n > before) name_set_add(labels, l.name, 1);
        }
    name_set_release(&pairs);
    arena_release(&scratch);
}

static void run_detected_labels(struct http_exchange *x, const struct logs_api *api)
{
    struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
    struct log_streams s;
    struct name_set labels;
    struct err e = ERR_INIT;

    int rc = open_queried(&s, x, api, &e);
    name_set_init(&labels, &s.c.arena);
    if (rc == OK) count_values(&s, &labels);
    name_set_sort(&labels);
    if (rc < 0) {
        loki_error(x, &e);
    } else {
        buf_cs(&out, "{\"detectedLabels\":[");
        for (size_t i = 0; i < labels.n; i++) {
            buf_cs(&out, i > 0 ? ",{\"label\":" : "{\"label\":");
            json_escape(&out, labels.at[i].name);
            buf_printf(&out, ",\"cardinality\":%llu}", (unsigned long long)labels.at[i].n);
        }
        buf_cs(&out, "]}");
        loki_answer(x, &out);
    }
    log_streams_close(&s);
}

void handle_loki_detected_labels(struct http_exchange *x, void *ctx)
{
    logs_post(x, ctx, run_detected_labels);
}
