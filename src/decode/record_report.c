#include "decode/record_report.h"

#include <stdio.h>

#include "base/check.h"

void record_report_add(struct write_result *refused, const struct record_report *report)
{
    if (refused->why[0] == 0)
        for (size_t i = 0; i < report->n_first && refused->why[0] == 0; i++)
            if (report->first[i].reason != REJECT_COUNT)
                snprintf(refused->why, sizeof refused->why, "%s", report->first[i].text);
    for (size_t i = 0; i < REJECT_COUNT; i++) refused->rejected[i] += report->rejected[i];
    refused->rejected_total += report->rejected_total;
}

static void put_reasons(const struct record_report *report, struct buf *out)
{
    bool first = true;
    buf_u64(out, report->rejected_total);
    buf_cs(out, " refused (");
    for (size_t i = 0; i < REJECT_COUNT; i++) {
        if (report->rejected[i] == 0) continue;
        if (!first) buf_cs(out, "; ");
        buf_u64(out, report->rejected[i]);
        buf_cs(out, ": ");
        buf_cs(out, reject_text((enum reject)i));
        first = false;
    }
    buf_char(out, ')');
}

void record_report_text(const struct record_report *report, struct buf *out)
{
    if (report->rejected_total > 0) put_reasons(report, out);
    if (report->altered > 0) {
        if (report->rejected_total > 0) buf_cs(out, ", ");
        buf_u64(out, report->altered);
        buf_cs(out, " kept with something cut, left out or put right");
    }
    for (size_t i = 0; i < report->n_first; i++) {
        buf_cs(out, i == 0 ? ": " : "; ");
        buf_cs(out, report->first[i].text);
    }
}
