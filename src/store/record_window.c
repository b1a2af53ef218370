/* record_window.c - see record_window.h. */
#include "store/record_window.h"

#include "base/check.h"

static int64_t minus(int64_t ns, int64_t width)
{
    return ns < INT64_MIN + width ? INT64_MIN : ns - width;
}

static int64_t plus(int64_t ns, int64_t width)
{
    return ns > INT64_MAX - width ? INT64_MAX : ns + width;
}

bool window_before(const struct record_sources *x, int64_t edge, int64_t width, struct window *w)
{
    bool any = false;
    w->to_ns = INT64_MIN;
    for (size_t i = 0; i < x->n_pieces; i++) {
        if (x->pieces[i].min_ns > edge) continue;
        w->to_ns = MAX(w->to_ns, MIN(x->pieces[i].max_ns, edge));
        any = true;
    }
    w->from_ns = minus(w->to_ns, width - 1);
    return any;
}

bool window_after(const struct record_sources *x, int64_t edge, int64_t width, struct window *w)
{
    bool any = false;
    w->from_ns = INT64_MAX;
    for (size_t i = 0; i < x->n_pieces; i++) {
        if (x->pieces[i].max_ns < edge) continue;
        w->from_ns = MIN(w->from_ns, MAX(x->pieces[i].min_ns, edge));
        any = true;
    }
    w->to_ns = plus(w->from_ns, width - 1);
    return any;
}

void window_whole_buckets(const struct record_sources *x, bool desc, struct window *w)
{
    int64_t bucket_ns = x->layout->bucket_ns;
    if (desc)
        w->from_ns = w->from_ns < bucket_ns ? INT64_MIN : w->from_ns - w->from_ns % bucket_ns;
    else
        w->to_ns = plus(MAX(w->to_ns, 0) - MAX(w->to_ns, 0) % bucket_ns, bucket_ns - 1);
}

bool window_has(const struct record_piece *p, const struct window *w)
{
    return p->min_ns <= w->to_ns && p->max_ns >= w->from_ns;
}

static size_t pieces_in(const struct record_sources *x, const struct window *w)
{
    size_t n = 0;
    for (size_t i = 0; i < x->n_pieces; i++) n += window_has(&x->pieces[i], w);
    return n;
}

int64_t window_slice_ns(const struct record_sources *x, bool desc, double rows)
{
    struct window edge;
    double a_ns = 0;
    bool any = desc ? window_before(x, INT64_MAX, 1, &edge) : window_after(x, INT64_MIN, 1, &edge);
    for (size_t i = 0; any && i < x->n_pieces; i++) {
        const struct record_piece *p = &x->pieces[i];
        if (window_has(p, &edge)) a_ns += (double)p->rows / ((double)p->max_ns - (double)p->min_ns + 1);
    }
    double ns = a_ns > 0 ? rows / a_ns : 0;
    return ns < 1 ? 1 : ns < 0x1p61 ? (int64_t)ns : INT64_C(1) << 61;
}

int64_t window_next_width(const struct record_sources *x, const struct window *w, int64_t width)
{
    if (pieces_in(x, w) < WINDOW_FEW) return width > INT64_MAX / 2 ? INT64_MAX : 2 * width;
    return MAX(width / 2, x->layout->bucket_ns);
}
