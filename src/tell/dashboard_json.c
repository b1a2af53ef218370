/* dashboard_json.c - see dashboard_json.h. */
#include "tell/dashboard_json.h"

#include <ctype.h>

#include "base/check.h"
#include "base/json.h"

#define ROW_DEPTH 3 /* rows hold panels; deeper is nobody's */

/* As web/lib/grafana.mjs draws them. */
static const char *const drawn[] = { "timeseries",     "graph",    "stat",  "singlestat", "gauge",
                                     "bargauge",       "piechart", "table", "heatmap",    "text",
                                     "state-timeline", "logs",     "row" };

static bool is_drawn(struct str kind)
{
    for (size_t i = 0; i < COUNT(drawn); i++)
        if (str_is(kind, drawn[i])) return true;
    return false;
}

bool dashboard_name_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' && s.p[i] != '_') return false;
    return s.n > 0 && s.n <= DASHBOARD_NAME_MAX;
}

struct str dashboard_slug(struct str title, struct arena *a)
{
    char *out = arena_alloc(a, DASHBOARD_NAME_MAX + 1);
    size_t n = 0;
    for (size_t i = 0; i < title.n && n < DASHBOARD_NAME_MAX; i++) {
        unsigned char c = (unsigned char)title.p[i];
        if (c < 128 && isalnum(c))
            out[n++] = (char)tolower(c);
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n > 0 && out[n - 1] == '-') n--;
    return str_make(out, n);
}

/* ---- panels ---- */

struct reading {
    struct json_reader *r;
    struct arena *arena;
    struct dashboard_facts *facts;
};

static void note(struct reading *g, struct str title, struct str kind)
{
    struct dashboard_facts *f = g->facts;
    if (f->n_notes == DASHBOARD_NOTES_MAX) return;
    f->notes[f->n_notes++] =
        arena_printf(g->arena, "panel \"%.*s\" is of the kind \"%.*s\", which is not drawn here",
                     (int)MIN(title.n, (size_t)100), title.p, (int)MIN(kind.n, (size_t)60), kind.p);
}

static void read_text(struct json_reader *r, struct str *out)
{
    if (json_peek(r) == JSON_STRING)
        json_string(r, out);
    else
        json_skip(r);
}

static void read_panels(struct reading *g, int depth);

static void read_panel(struct reading *g, int depth)
{
    struct json_reader *r = g->r;
    struct str key, kind = STR(""), title = STR("");
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_is(key, "type"))
            read_text(r, &kind);
        else if (str_is(key, "title"))
            read_text(r, &title);
        else if (str_is(key, "panels") && json_peek(r) == JSON_ARRAY && depth < ROW_DEPTH)
            read_panels(g, depth + 1);
        else
            json_skip(r);
    }
    if (r->failed) return;
    if (kind.n == 0) {
        json_fail(r, "a panel without a type");
        return;
    }
    if (!str_is(kind, "row")) g->facts->panels++;
    if (!is_drawn(kind)) note(g, title, kind);
}

static void read_panels(struct reading *g, int depth)
{
    struct json_reader *r = g->r;
    if (!json_array(r)) return;
    while (json_next(r)) {
        read_panel(g, depth);
        if (g->facts->panels > DASHBOARD_PANELS_MAX) json_fail(r, "more than 500 panels");
    }
}

/* ---- the dashboard ---- */

static void read_tags(struct json_reader *r, struct arena *a, struct str *out)
{
    struct buf text = BUF_INIT(64u << 10);
    struct json_writer w;
    struct str tag;
    if (json_peek(r) != JSON_ARRAY || !json_array(r)) {
        json_skip(r);
        return;
    }
    json_writer_init(&w, &text);
    json_begin_array(&w);
    while (json_next(r)) {
        tag = STR("");
        read_text(r, &tag);
        if (tag.n > 0) json_put_string(&w, tag);
    }
    json_end_array(&w);
    if (!text.full) *out = arena_str(a, buf_view(&text));
    buf_release(&text);
}

struct seen { /* what else stood at the top */
    bool panels, rows, elements;
    struct str inner; /* below "dashboard" or "spec" */
};

static void read_top(struct reading *g, struct seen *seen)
{
    struct json_reader *r = g->r;
    struct dashboard_facts *f = g->facts;
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_is(key, "title"))
            read_text(r, &f->title);
        else if (str_is(key, "description"))
            read_text(r, &f->about);
        else if (str_is(key, "uid"))
            read_text(r, &f->uid);
        else if (str_is(key, "refresh"))
            read_text(r, &f->refresh);
        else if (str_is(key, "tags"))
            read_tags(r, g->arena, &f->tags);
        else if (str_is(key, "panels"))
            seen->panels = true, read_panels(g, 0);
        else if ((str_is(key, "dashboard") || str_is(key, "spec")) && json_peek(r) == JSON_OBJECT)
            json_raw(r, &seen->inner);
        else {
            seen->rows |= str_is(key, "rows");
            seen->elements |= str_is(key, "elements");
            json_skip(r);
        }
    }
}

static int read_one(struct str json, struct arena *a, struct dashboard_facts *out, struct seen *seen,
                    struct err *e)
{
    struct json_reader r;
    struct reading g = { &r, a, out };
    *out = (struct dashboard_facts){ .body = json, .tags = STR("[]") };
    *seen = (struct seen){ 0 };
    json_open(&r, json, a);
    read_top(&g, seen);
    return json_close(&r, e);
}

static int check_one(const struct dashboard_facts *f, const struct seen *seen, struct err *e)
{
    if (seen->elements)
        return err_set(e, ERR_UNSUPPORTED,
                       "this dashboard is of Grafana's schema 2 (\"elements\"): export it as classic JSON");
    if (!seen->panels && seen->rows)
        return err_set(e, ERR_UNSUPPORTED,
                       "this dashboard is of the form before schema 16 (\"rows\"): open and save it in "
                       "Grafana 5 or later");
    if (!seen->panels) return err_set(e, ERR_PARSE, "no list of \"panels\": this is not a Grafana dashboard");
    if (str_trim(f->title).n == 0) return err_set(e, ERR_PARSE, "the dashboard has no title");
    if (f->title.n > 300) return err_set(e, ERR_LIMIT, "the title is longer than 300 bytes");
    return OK;
}

int dashboard_read(struct str json, struct arena *a, struct dashboard_facts *out, struct err *e)
{
    struct seen seen;
    if (json.n > DASHBOARD_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a dashboard of %zu bytes; at most %u are taken", json.n,
                       DASHBOARD_BYTES_MAX);
    int rc = read_one(json, a, out, &seen, e);
    if (rc == OK && !seen.panels && seen.inner.n > 0) rc = read_one(seen.inner, a, out, &seen, e);
    return rc == OK ? check_one(out, &seen, e) : rc;
}
