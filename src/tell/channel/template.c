/* template.c - see template.h.
 *
 * A set of templates is a chain: the defaults, then each of the user's files, each the library of the next; a
 * text of a receiver's configuration is put in front of the chain, run once and forgotten. */
#include "tell/channel/template.h"

#include <glob.h>
#include <pthread.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "tell/channel/channel.h"
#include "tell/channel/channel_impl.h"
#include "tell/channel/html.h"
#include "tell/channel/template_default.h"
#include "tell/channel/template_functions.h"

#define FILES_MAX 1000

struct notify_templates {
    struct template **at; /* the newest last: it is the head of the chain */
    size_t n, cap;
};

/* ---- loading ---- */

static int add(struct notify_templates *t, struct str text, struct err *e)
{
    struct template *one;
    int rc = template_new_with(text, notify_functions(), t->n ? t->at[t->n - 1] : NULL, &one, e);
    if (rc < 0) return rc;
    t->at = mem_grow(t->at, t->n, &t->cap, sizeof *t->at);
    t->at[t->n++] = one;
    return OK;
}

static int add_file(struct notify_templates *t, const char *path, struct err *e)
{
    struct buf text = BUF_INIT(TEMPLATE_TEXT_MAX + 1);
    int rc = t->n > FILES_MAX ? err_set(e, ERR_LIMIT, "more than %d files", FILES_MAX)
                              : file_slurp(path, &text, e);
    if (rc == OK) rc = add(t, buf_view(&text), e);
    if (rc < 0) err_where(e, "template file %s", path);
    buf_release(&text);
    return rc;
}

static int add_matching(struct notify_templates *t, struct str pattern, struct err *e)
{
    glob_t found = { 0 };
    char *terminated = str_dup(pattern);
    int rc = glob(terminated, 0, NULL, &found), result = OK;
    if (rc != 0 && rc != GLOB_NOMATCH)
        result = err_set(e, ERR_IO, "templates: cannot look for %s", terminated);
    for (size_t i = 0; i < found.gl_pathc && result == OK; i++) result = add_file(t, found.gl_pathv[i], e);
    globfree(&found);
    mem_free(terminated);
    return result;
}

int notify_templates_load(const struct str *patterns, size_t n, struct notify_templates **out, struct err *e)
{
    struct notify_templates *t = mem_alloc_zero(sizeof *t);
    int rc = OK;
    for (size_t i = 0; i < n_default_templates && rc == OK; i++) rc = add(t, str_of(default_templates[i]), e);
    check(rc == OK); /* they are our own */
    for (size_t i = 0; i < n && rc == OK; i++) rc = add_matching(t, patterns[i], e);
    if (rc < 0) {
        notify_templates_free(t);
        return rc;
    }
    *out = t;
    return OK;
}

void notify_templates_free(struct notify_templates *t)
{
    if (t == NULL) return;
    for (size_t i = t->n; i-- > 0;) template_free(t->at[i]);
    mem_free(t->at);
    mem_free(t);
}

/* global: the same for the whole process, made when first asked for */
static pthread_once_t defaults_once = PTHREAD_ONCE_INIT;
static struct notify_templates *defaults;

static void make_defaults(void)
{
    check(notify_templates_load(NULL, 0, &defaults, NULL) == OK);
}

const struct notify_templates *notify_templates_default(void)
{
    pthread_once(&defaults_once, make_defaults);
    return defaults;
}

/* ---- data ---- */

static struct tentry entry(struct str key, struct tvalue value)
{
    return (struct tentry){ key, value };
}

static struct tvalue alert_value(const struct alert *a, int64_t now_ms, struct arena *arena)
{
    struct tentry *at = arena_array(arena, 7, sizeof *at);
    bool resolved = alert_is_resolved(a, now_ms);
    unsigned long long fingerprint = alert_fingerprint(a->labels);
    at[0] = entry(STR("Annotations"), notify_labels_value(a->annotations, arena));
    at[1] = entry(STR("EndsAt"), tv_time(resolved ? a->ends_ms * 1000000 : 0, 0));
    at[2] = entry(STR("Fingerprint"), tv_str(arena_printf(arena, "%016llx", fingerprint)));
    at[3] = entry(STR("GeneratorURL"), tv_str(a->generator_url));
    at[4] = entry(STR("Labels"), notify_labels_value(a->labels, arena));
    at[5] = entry(STR("StartsAt"), tv_time(a->starts_ms * 1000000, 0));
    at[6] = entry(STR("Status"), tv_str(resolved ? STR("resolved") : STR("firing")));
    return notify_struct_value(at, 7);
}

struct tvalue notify_template_data(const struct notification *n, uint64_t max_alerts, struct arena *a)
{
    struct channel_view v = channel_view(n, max_alerts, a);
    struct tvalue *alerts = arena_array(a, v.n + 1, sizeof *alerts);
    struct tentry *at = arena_array(a, 9, sizeof *at);
    for (size_t i = 0; i < v.n; i++) alerts[i] = alert_value(&v.alerts[i], n->now_ms, a);
    at[0] = entry(STR("Alerts"), notify_alerts_value(alerts, v.n));
    at[1] = entry(STR("CommonAnnotations"), notify_labels_value(v.common_annotations, a));
    at[2] = entry(STR("CommonLabels"), notify_labels_value(v.common_labels, a));
    at[3] = entry(STR("ExternalURL"), tv_str(n->external_url));
    at[4] = entry(STR("GroupLabels"), notify_labels_value(n->group_labels, a));
    at[5] = entry(STR("NotificationReason"), tv_str(str_of(n->reason)));
    at[6] = entry(STR("Receiver"), tv_str(v.receiver));
    at[7] = entry(STR("RouteLabels"), notify_labels_value(n->route_labels, a));
    at[8] = entry(STR("Status"), tv_str(str_of(v.status)));
    return notify_struct_value(at, 9);
}

/* ---- running ---- */

int notify_template_check(struct str text, struct err *e)
{
    struct template *t;
    int rc = template_new(text, notify_functions(), &t, e);
    if (rc == OK) template_free(t);
    return rc;
}

int notify_template_run(const struct notify_templates *set, struct str text, struct tvalue data,
                        int64_t now_ms, bool html, struct arena *a, struct buf *out, struct err *e)
{
    struct html_printer page = { 0 };
    struct template_printer printer = { html_text, html_value, &page };
    struct template_host host = { now_ms };
    struct template *t;
    const struct notify_templates *library = set ? set : notify_templates_default();
    int rc = template_new_with(text, notify_functions(), library->at[library->n - 1], &t, e);
    if (rc < 0) return rc;
    rc = template_run_through(t, data, &host, a, out, html ? &printer : NULL, e);
    template_free(t);
    return rc;
}
