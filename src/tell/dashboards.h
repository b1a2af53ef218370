/* dashboards.h - all dashboards of the server, by name: those built in, those of a folder, those people
 * brought.
 *
 * Built in are the files of deploy/grafana/dashboards, compiled in as they are: the one source for our pages
 * and for Grafana. A folder's are read at start and on reload; what people bring is kept in the state file.
 * Of equal names the built-in counts, then the folder's.
 *
 * Always true:
 *   1. A dashboard is given back as it came, byte for byte (without Grafana's API envelope, if it had one).
 *   2. What cannot be read was refused at the door, or is told by dashboards_folder and left out.
 *   3. At most DASHBOARDS_MAX of a folder, and as many of people.
 *
 * Threads: any. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "state/state.h"
#include "tell/dashboard_json.h"

#define DASHBOARDS_MAX 200

struct dashboards;

enum dashboard_from { DASHBOARD_BUILT_IN, DASHBOARD_FOLDER, DASHBOARD_IMPORTED };
const char *dashboard_from_word(enum dashboard_from); /* "built-in", "folder", "imported" */

struct dashboard { /* borrowed */
    struct str name, title, about, tags, refresh;
    int64_t panels, updated_ms; /* updated: imported ones only */
    enum dashboard_from from;
};

int dashboards_open(struct state *, struct dashboards **out, struct err *); /* borrows the state */
void dashboards_close(struct dashboards *);                                 /* NULL is fine */

/* From now on the *.json of this folder, NULL: of none. What is wrong in a file is logged, and the others are
 * taken; ERR_*: the folder cannot be read, and nothing has changed. */
int dashboards_folder(struct dashboards *, const char *dir, struct err *);

/* In the order of their titles. */
int dashboards_each(struct dashboards *, void (*visit)(const struct dashboard *, void *ctx), void *ctx,
                    struct err *);
/* Its JSON into the arena; ERR_FIND. */
int dashboards_get(struct dashboards *, struct str name, struct arena *, struct str *json, struct err *);

/* Keep it; one that people brought before is replaced. ERR_RANGE: the name is taken by another kind, or none.
 */
int dashboards_put(struct dashboards *, struct str name, const struct dashboard_facts *, bool *is_new,
                   struct err *);
int dashboards_delete(struct dashboards *, struct str name, struct err *); /* ERR_FIND, ERR_RANGE */

/* The built-in ones, which need no server. */
struct dashboard_file {
    const char *name, *begin, *end;
};
extern const struct dashboard_file dashboard_files[];
extern const size_t dashboard_files_count;
extern const struct dashboard_file provisioning_files[]; /* Grafana's, for a Vedette on 127.0.0.1:8090 */
extern const size_t provisioning_files_count;
