/* prom_text.h - Prometheus' text format 0.0.4 and OpenMetrics 1.0, line by line.
 *
 * The iterator splits a line into the text that names the series, the value, the time and the exemplar, and
 * looks no further: who keeps a table from series text to series (the scraper does) never parses the labels
 * of a known one.
 *
 *     struct prom_text t;
 *     struct prom_line l;
 *     prom_text_open(&t, body, form);
 *     while ((kind = prom_text_next(&t, &l)) != PROM_TEXT_END)
 *         if (kind == PROM_TEXT_SAMPLE) ...l.series, l.value...
 *
 * A bad line is PROM_TEXT_BAD with its number and what is wrong; reading goes on with the next. What is wrong
 * inside l.series or l.exemplar comes up when they are parsed. Everything given out is borrowed from the
 * body. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "decode/limits.h"
#include "model/batch.h"
#include "model/labels.h"

enum prom_text_form { PROM_TEXT_PLAIN, PROM_TEXT_OPENMETRICS };

/* By Content-Type; empty is the plain form. False: neither of the two. */
bool prom_text_form(struct str content_type, enum prom_text_form *out);

enum prom_text_kind {
    PROM_TEXT_END,
    PROM_TEXT_SAMPLE,
    PROM_TEXT_HELP, /* family, text (still escaped: prom_text_unescape) */
    PROM_TEXT_TYPE, /* family, text: counter gauge histogram gaugehistogram summary info stateset unknown */
    PROM_TEXT_UNIT, /* family, text */
    PROM_TEXT_BAD,  /* why, text: the offending piece */
};

struct prom_line {
    size_t line;       /* from 1 */
    struct str series; /* name{label="value"}, as it stands */
    double value;      /* NaN is always NAN_BITS */
    int64_t time_ms;
    bool has_time;
    struct str exemplar; /* {label="value"} value [time]; empty: none */
    struct str family, text;
    const char *why;
};

struct prom_text {
    const char *p, *end;
    size_t line;
    enum prom_text_form form;
    bool has_eof; /* "# EOF" was seen; an OpenMetrics text without it was cut off */
};

void prom_text_open(struct prom_text *, struct str text, enum prom_text_form);
enum prom_text_kind prom_text_next(struct prom_text *, struct prom_line *);
/* ERR_PARSE "line 3: why: text" for a BAD line. */
int prom_text_bad(const struct prom_line *, struct err *);

/* Name and labels of l.series as pairs in the order of the text, not normalised; `spare` free places follow
 * them for labels of the caller. ERR_PARSE, ERR_LIMIT (more than LABELS_MAX). */
int prom_text_series(struct str series, size_t spare, struct arena *, struct label **pairs, size_t *n,
                     struct err *);

struct prom_text_exemplar {
    struct labels labels; /* normalised */
    double value;
    int64_t time_ms;
    bool has_time;
};
int prom_text_exemplar(struct str text, struct arena *, struct prom_text_exemplar *out, struct err *);

struct str prom_text_unescape(struct str text, struct arena *); /* \\ \n \" */
/* A value as the text formats write it; false when it is none. */
bool prom_text_number(struct str s, double *out);

/* ---- a whole text at once: imports and pushes ---- */

struct prom_text_import {
    enum prom_text_form form;
    const struct decode_limits *limits;
    int64_t default_time_ms;   /* of lines without a time */
    bool ignore_times;         /* all lines get the default */
    const struct label *extra; /* added to every series, replacing labels of the same name */
    size_t n_extra;
};

#define PROM_TEXT_FAULTS_MAX 20

struct prom_text_faults { /* zero it first */
    uint64_t total;
    struct {
        size_t line;
        char text[200];
    } first[PROM_TEXT_FAULTS_MAX];
};

/* Spelling LABELS_PACKED. Bad lines are left out, told in *faults and counted in *refused; ERR_LIMIT when the
 * text has more rows or needs more memory than allowed. */
int prom_text_import(struct str text, const struct prom_text_import *, struct arena *, struct batch *out,
                     struct write_result *refused, struct prom_text_faults *faults, struct err *);
