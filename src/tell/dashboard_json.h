/* dashboard_json.h - what must be known of a dashboard in Grafana's JSON: its title, its panels, and which of
 * them our pages do not draw. The JSON itself is kept and given back byte for byte.
 *
 * Taken are a dashboard as Grafana's "Export" and its provisioning write it, and the same below the keys
 * "dashboard" (Grafana's HTTP API) or "spec" (its resources). Refused, with the place: what is no JSON
 * object, has no title or no panels, holds more than DASHBOARD_PANELS_MAX, or is of a form before schema 16
 * ("rows") or after 42 ("elements"). Pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define DASHBOARD_BYTES_MAX  (1u << 20)
#define DASHBOARD_PANELS_MAX 500
#define DASHBOARD_NAME_MAX   64
#define DASHBOARD_NOTES_MAX  32

struct dashboard_facts { /* texts are in the arena or in the JSON */
    struct str body;     /* the dashboard alone, without what stood around it */
    struct str title, about, uid, refresh;
    struct str tags;                       /* a JSON array */
    size_t panels;                         /* without rows */
    struct str notes[DASHBOARD_NOTES_MAX]; /* what will not be drawn, in words */
    size_t n_notes;
};

int dashboard_read(struct str json, struct arena *, struct dashboard_facts *out, struct err *);

bool dashboard_name_ok(struct str); /* 1..64 of letters, digits, - and _ */
/* "My Dashboard (v2)" -> my-dashboard-v2; empty when nothing is left. */
struct str dashboard_slug(struct str title, struct arena *);
