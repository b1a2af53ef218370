/* json_path.h - which value of a JSON document: request.headers["User-Agent"], servers[0]. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define JSON_PATH_MAX 32 /* steps */

struct json_step {
    struct str key; /* p NULL: an index */
    size_t index;
};

struct json_path {
    struct json_step steps[JSON_PATH_MAX];
    size_t n;
};

int json_path_new(struct str text, struct arena *, struct json_path **out, struct err *); /* ERR_PARSE */
