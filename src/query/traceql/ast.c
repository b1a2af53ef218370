/* ast.c - the names of things in TraceQL, as tables. */
#include "query/traceql/ast.h"

#include "base/check.h"

const struct intrinsic_spelling intrinsic_spellings[] = {
    { "span:name", SPAN_NAME },
    { "span:status", SPAN_STATUS },
    { "span:statusMessage", SPAN_STATUS_MESSAGE },
    { "span:kind", SPAN_KIND },
    { "span:duration", SPAN_DURATION },
    { "span:id", SPAN_ID },
    { "span:parentID", SPAN_PARENT_ID },
    { "span:childCount", SPAN_CHILD_COUNT },
    { "trace:id", TRACE_ID },
    { "trace:duration", TRACE_DURATION },
    { "trace:rootName", TRACE_ROOT_NAME },
    { "trace:rootService", TRACE_ROOT_SERVICE },
    { "event:name", EVENT_NAME },
    { "event:timeSinceStart", EVENT_TIME_SINCE_START },
    { "link:traceID", LINK_TRACE_ID },
    { "link:spanID", LINK_SPAN_ID },
    { "instrumentation:name", INSTRUMENTATION_NAME },
    { "instrumentation:version", INSTRUMENTATION_VERSION },
    { "name", SPAN_NAME },
    { "status", SPAN_STATUS },
    { "statusMessage", SPAN_STATUS_MESSAGE },
    { "kind", SPAN_KIND },
    { "duration", SPAN_DURATION },
    { "childCount", SPAN_CHILD_COUNT },
    { "traceDuration", TRACE_DURATION },
    { "rootName", TRACE_ROOT_NAME },
    { "rootServiceName", TRACE_ROOT_SERVICE },
    { "nestedSetLeft", NESTED_LEFT },
    { "nestedSetRight", NESTED_RIGHT },
    { "nestedSetParent", NESTED_PARENT },
    { NULL, SPAN_INTRINSICS },
};

/* The last one: the short spelling where there is one, as labels and answers have it. */
const char *intrinsic_text(enum span_intrinsic which)
{
    const char *text = which == SPAN_IS_ROOT ? "nestedSetParent < 0" : "unknown";
    for (size_t i = 0; intrinsic_spellings[i].text != NULL; i++)
        if (intrinsic_spellings[i].intrinsic == which) text = intrinsic_spellings[i].text;
    return text;
}

static const struct {
    enum static_type type;
    bool needs_trace;
} intrinsics[SPAN_INTRINSICS] = {
    [SPAN_NAME] = { STATIC_STRING, false },
    [SPAN_STATUS] = { STATIC_STATUS, false },
    [SPAN_STATUS_MESSAGE] = { STATIC_STRING, false },
    [SPAN_KIND] = { STATIC_KIND, false },
    [SPAN_DURATION] = { STATIC_DURATION, false },
    [SPAN_ID] = { STATIC_STRING, false },
    [SPAN_PARENT_ID] = { STATIC_STRING, false },
    [SPAN_CHILD_COUNT] = { STATIC_INT, true },
    [SPAN_IS_ROOT] = { STATIC_BOOL, false },
    [TRACE_ID] = { STATIC_STRING, false },
    [TRACE_DURATION] = { STATIC_DURATION, true },
    [TRACE_ROOT_NAME] = { STATIC_STRING, true },
    [TRACE_ROOT_SERVICE] = { STATIC_STRING, true },
    [NESTED_LEFT] = { STATIC_INT, true },
    [NESTED_RIGHT] = { STATIC_INT, true },
    [NESTED_PARENT] = { STATIC_INT, true },
    [EVENT_NAME] = { STATIC_STRING, false },
    [EVENT_TIME_SINCE_START] = { STATIC_DURATION, false },
    [LINK_TRACE_ID] = { STATIC_STRING, false },
    [LINK_SPAN_ID] = { STATIC_STRING, false },
    [INSTRUMENTATION_NAME] = { STATIC_STRING, false },
    [INSTRUMENTATION_VERSION] = { STATIC_STRING, false },
};

enum static_type intrinsic_type(enum span_intrinsic i)
{
    return intrinsics[i].type;
}

bool intrinsic_needs_trace(enum span_intrinsic i)
{
    return intrinsics[i].needs_trace;
}

const char *tq_op_text(enum tq_op op)
{
    static const char *const text[] = {
        [TQ_AND] = "&&", [TQ_OR] = "||", [TQ_EQ] = "=",  [TQ_NE] = "!=",     [TQ_LT] = "<",  [TQ_LE] = "<=",
        [TQ_GT] = ">",   [TQ_GE] = ">=", [TQ_RE] = "=~", [TQ_NOT_RE] = "!~", [TQ_ADD] = "+", [TQ_SUB] = "-",
        [TQ_MUL] = "*",  [TQ_DIV] = "/", [TQ_MOD] = "%", [TQ_POW] = "^",     [TQ_NOT] = "!", [TQ_NEG] = "-",
    };
    return text[op];
}
