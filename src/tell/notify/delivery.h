/* delivery.h - one message to one integration, from the flush that made it until it is told or given up.
 *
 * It carries copies and references of all it needs, so that it can be sent without any lock. */
#pragma once
#include "tell/notify/am_config.h"
#include "tell/notify/held.h"
#include "tell/notify/nflog.h"
#include "tell/notify/timer_heap.h"

struct delivery {
    struct timer retry;
    struct delivery *next; /* in its lane */
    uint64_t group_id;
    struct am_config *conf;
    const struct am_route *route;
    const struct am_integration *in;
    struct held **alerts; /* firing first */
    size_t n, n_firing;
    struct nflog_entry log; /* to be written when told */
    struct str group_key, log_key;
    struct labels group_labels;
    int64_t flush_ms, deadline_ms, back_off_ms;
    unsigned attempts;
    const char *reason;
    struct arena arena;
};

/* What a group knows of the message to make. */
struct delivery_of {
    struct am_config *conf;
    const struct am_route *route;
    const struct am_integration *in;
    struct str group_key, log_key;
    struct labels group_labels;
    struct held *const *alerts; /* in order, firing and resolved mixed */
    const bool *resolved;
    size_t n;
    const char *reason;
    const struct nflog_entry *log;
    int64_t now_ms, deadline_ms;
};

struct delivery *delivery_new(const struct delivery_of *);
void delivery_free(struct delivery *);

/* Blocks for as long as the channel needs. */
void delivery_send(struct delivery *, const struct notify_templates *, struct str external_url,
                   int64_t now_ms, struct channel_result *);
