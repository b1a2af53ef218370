/* self.h - the two targets that need no configuration: this server (job="vedette") and this machine
 * (job="node"). */
#pragma once
#include "model/store.h"

struct self_conf {
    int64_t interval_ms;
    bool server, host;
    const char *instance; /* the label of both; copied */
};

struct self;
struct self *self_start(struct store *, const struct self_conf *); /* borrows the store */
void self_stop(struct self *);                                     /* NULL is fine */
