/* pipeline.h - runs the stages of a log query over one line after the other. One thread. */
#pragma once
#include "query/logql/ast.h"
#include "query/logql/lset.h"
#include "query/logql/template_loki.h"

struct pipeline {
    struct lset labels;   /* of the line under way: the caller puts stream and metadata in */
    struct arena scratch; /* of the line: pipeline_next forgets it */
    struct kept_regexes regexes;
    struct buf text; /* of a template under way */
    struct str line;
    int64_t time_ns;
};

#define PIPELINE_LINE_MAX (16u << 20) /* of a formatted line */

void pipeline_init(struct pipeline *);
void pipeline_release(struct pipeline *);

/* A new line, its labels set to those of the stream. */
void pipeline_next(struct pipeline *, struct labels stream, struct str line, int64_t time_ns);
/* False: filtered out. Else line and labels are as the stages made them. */
bool pipeline_run(struct pipeline *, const struct stage *);
bool line_passes(const struct stage *, struct str line);

/* parsers.c */
void parse_json(struct pipeline *, const struct stage *, unsigned stage_no);
void parse_logfmt(struct pipeline *, const struct stage *, unsigned stage_no);
void parse_unpack(struct pipeline *, unsigned stage_no);
