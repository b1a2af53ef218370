#include "server/derive_glue.h"

#include "base/check.h"
#include "derive/kg_series.h"
#include "server/prices_glue.h"

#define ROWS_MOST 1000000

static bool is_taken(const struct span_metrics_conf *conf, struct str name)
{
    static const char *const fixed[] = { "service", "span_name", "span_kind",    "status_code",
                                         "le",      "__name__",  SPAN_LATE_LABEL };
    char label[SPAN_LABEL_MAX];
    span_dimension_label(label, name);
    for (size_t i = 0; i < COUNT(fixed); i++)
        if (strcmp(label, fixed[i]) == 0) return true;
    for (size_t i = 0; i < conf->n_dimensions; i++) {
        char other[SPAN_LABEL_MAX];
        span_dimension_label(other, str_of(conf->dimensions[i]));
        if (strcmp(label, other) == 0) return true;
    }
    return false;
}

static int read_dimensions(const struct yaml *list, struct arena *a, struct span_metrics_conf *conf,
                           struct err *e)
{
    struct str name = STR("");
    int rc;
    if (list == NULL) return OK;
    if (list->kind != YAML_LIST || list->n > SPAN_DIMENSIONS_MAX)
        return err_set(e, ERR_PARSE, "line %d: dimensions: expected a list of at most %d attribute names",
                       list->line, SPAN_DIMENSIONS_MAX);
    for (size_t i = 0; i < list->n; i++) {
        if ((rc = yaml_str(list->items[i], &name, e)) < 0) return rc;
        if (name.n == 0 || is_taken(conf, name))
            return err_set(e, ERR_RANGE,
                           "line %d: dimensions: \"%.*s\" would be a label that is there already",
                           list->items[i]->line, (int)MIN(name.n, (size_t)64), name.p);
        conf->dimensions[conf->n_dimensions++] = arena_str(a, name).p;
    }
    return OK;
}

static int read_section(struct yaml *s, struct arena *a, struct record_series_conf *conf, bool *enabled,
                        struct err *e)
{
    int64_t rows = (int64_t)conf->spans.max_rows;
    int rc;
    *enabled = true;
    if (s == NULL) return OK;
    if (s->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: span_metrics: expected a map of options", s->line);
    if ((rc = yaml_bool(yaml_get(s, "enabled"), enabled, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "interval"), &conf->interval_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "idle"), &conf->spans.idle_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "late"), &conf->spans.late_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "wait"), &conf->graph.wait_ms, e)) < 0 ||
        (rc = yaml_i64(yaml_get(s, "max_series"), &rows, e)) < 0 ||
        (rc = read_dimensions(yaml_get(s, "dimensions"), a, &conf->spans, e)) < 0)
        return rc;
    if (rows < 1 || rows > ROWS_MOST)
        return err_set(e, ERR_RANGE, "line %d: span_metrics: max_series must be 1 to %d", s->line, ROWS_MOST);
    if (conf->interval_ms < 1000 || conf->graph.wait_ms < 1000)
        return err_set(e, ERR_RANGE, "line %d: span_metrics: interval and wait must be 1s or more", s->line);
    conf->spans.max_rows = (size_t)rows;
    conf->graph.idle_ms = conf->spans.idle_ms;
    return yaml_unknown(s, "span_metrics", e);
}

static int read_genai(struct yaml *s, struct genai_series_conf *conf, bool *enabled, struct err *e)
{
    int64_t rows = (int64_t)conf->max_rows;
    int rc;
    *enabled = true;
    if (s == NULL) return OK;
    if (s->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: genai: expected a map of options", s->line);
    if ((rc = yaml_bool(yaml_get(s, "enabled"), enabled, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "interval"), &conf->interval_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "wait"), &conf->wait_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "idle"), &conf->idle_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "late"), &conf->late_ms, e)) < 0 ||
        (rc = yaml_i64(yaml_get(s, "max_series"), &rows, e)) < 0)
        return rc;
    if (rows < 1 || rows > ROWS_MOST)
        return err_set(e, ERR_RANGE, "line %d: genai: max_series must be 1 to %d", s->line, ROWS_MOST);
    if (conf->interval_ms < 1000 || conf->wait_ms < 1000)
        return err_set(e, ERR_RANGE, "line %d: genai: interval and wait must be 1s or more", s->line);
    conf->max_rows = (size_t)rows;
    return yaml_unknown(s, "genai", e);
}

static int read_event_limits(struct yaml *s, struct event_series_conf *conf, struct err *e)
{
    int rc;
    if ((rc = yaml_double(yaml_get(s, "response_time_sla_ms"), &conf->sla_response_ms, e)) < 0 ||
        (rc = yaml_double(yaml_get(s, "error_rate_threshold_percent"), &conf->sla_error_percent, e)) < 0 ||
        (rc = yaml_double(yaml_get(s, "min_quality_score"), &conf->min_quality, e)) < 0 ||
        (rc = yaml_double(yaml_get(s, "cost_per_request_threshold_usd"), &conf->target_cost_usd, e)) < 0)
        return rc;
    if (!(conf->sla_response_ms > 0 && conf->target_cost_usd > 0) ||
        !(conf->sla_error_percent >= 0 && conf->sla_error_percent < 100) ||
        !(conf->min_quality >= 0 && conf->min_quality <= 1))
        return err_set(e, ERR_RANGE, "line %d: events: a threshold is out of its range", s->line);
    return OK;
}

static int read_events(struct yaml *s, struct event_series_conf *conf, bool *enabled, struct err *e)
{
    int64_t rows = (int64_t)conf->max_rows, ids = 0;
    int rc;
    *enabled = true;
    if (s == NULL) return OK;
    if (s->kind != YAML_MAP)
        return err_set(e, ERR_PARSE, "line %d: events: expected a map of options", s->line);
    if ((rc = yaml_bool(yaml_get(s, "enabled"), enabled, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "interval"), &conf->interval_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "window"), &conf->window_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "idle"), &conf->idle_ms, e)) < 0 ||
        (rc = yaml_duration_ms(yaml_get(s, "late"), &conf->late_ms, e)) < 0 ||
        (rc = yaml_i64(yaml_get(s, "max_series"), &rows, e)) < 0 ||
        (rc = yaml_i64(yaml_get(s, "max_ids"), &ids, e)) < 0 || (rc = read_event_limits(s, conf, e)) < 0)
        return rc;
    if (rows < 1 || rows > ROWS_MOST || ids < 0 || ids > 100 * ROWS_MOST)
        return err_set(e, ERR_RANGE, "line %d: events: max_series must be 1 to %d, max_ids up to %d", s->line,
                       ROWS_MOST, 100 * ROWS_MOST);
    if (conf->interval_ms < 500 || conf->window_ms < 60000 || conf->idle_ms < conf->window_ms)
        return err_set(
            e, ERR_RANGE,
            "line %d: events: interval must be 500ms or more, window 1m or more, idle no less than window",
            s->line);
    conf->max_rows = (size_t)rows;
    conf->max_ids = (size_t)ids;
    return yaml_unknown(s, "events", e);
}

int derive_glue_check(struct yaml *file, const char *path, struct err *e)
{
    struct record_series_conf conf = RECORD_SERIES_DEFAULT;
    struct genai_series_conf genai = GENAI_SERIES_DEFAULT;
    struct event_series_conf events = EVENT_SERIES_DEFAULT;
    struct arena scratch = ARENA_INIT(1u << 20);
    bool enabled;
    int rc = read_section(yaml_get(file, "span_metrics"), &scratch, &conf, &enabled, e);
    if (rc == OK) rc = read_genai(yaml_get(file, "genai"), &genai, &enabled, e);
    if (rc == OK) rc = read_events(yaml_get(file, "events"), &events, &enabled, e);
    if (rc < 0) err_where(e, "%s", path);
    arena_release(&scratch);
    return rc < 0 ? rc : prices_glue_check(file, path, e);
}

static int open_genai(struct derive_glue *g, struct yaml *file, struct store *store, struct record_taps *taps,
                      struct err *e)
{
    struct genai_series_conf conf = GENAI_SERIES_DEFAULT;
    bool enabled;
    int rc = read_genai(file != NULL ? yaml_get(file, "genai") : NULL, &conf, &enabled, e);
    if (rc < 0 || !enabled) return rc;
    check(taps->n < RECORD_TAPS_MAX);
    g->genai = genai_series_start(store, &conf);
    taps->at[taps->n++] = genai_series_tap(g->genai);
    return OK;
}

static int open_events(struct derive_glue *g, struct yaml *file, struct store *store,
                       struct record_taps *taps, struct err *e)
{
    static const struct event_module *const modules[] = { &lb_series_module, &mcp_series_module,
                                                          &agent_series_module, &kg_series_module };
    struct event_series_conf conf = EVENT_SERIES_DEFAULT;
    bool enabled;
    int rc = read_events(file != NULL ? yaml_get(file, "events") : NULL, &conf, &enabled, e);
    if (rc < 0 || !enabled) return rc;
    check(taps->n < RECORD_TAPS_MAX);
    g->events = event_series_start(store, &conf, modules, COUNT(modules));
    taps->at[taps->n++] = event_series_tap(g->events);
    return OK;
}

static int open_spans(struct derive_glue *g, struct yaml *file, struct arena *a, struct store *store,
                      struct record_taps *taps, struct err *e)
{
    struct record_series_conf conf = RECORD_SERIES_DEFAULT;
    bool enabled;
    int rc = read_section(file != NULL ? yaml_get(file, "span_metrics") : NULL, a, &conf, &enabled, e);
    if (rc < 0 || !enabled) return rc;
    check(taps->n < RECORD_TAPS_MAX);
    g->series = record_series_start(store, &conf);
    taps->at[taps->n++] = record_series_tap(g->series);
    return OK;
}

int derive_glue_open(struct derive_glue *g, struct yaml *file, struct arena *a, struct store *store,
                     struct record_taps *taps, struct err *e)
{
    int rc = open_spans(g, file, a, store, taps, e);
    if (rc == OK) rc = open_genai(g, file, store, taps, e);
    return rc < 0 ? rc : open_events(g, file, store, taps, e);
}

void derive_glue_close(struct derive_glue *g)
{
    record_series_stop(g->series);
    genai_series_stop(g->genai);
    event_series_stop(g->events);
    g->series = NULL;
    g->events = NULL;
    g->genai = NULL;
}
