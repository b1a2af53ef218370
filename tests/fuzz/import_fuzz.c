/* import_fuzz.c - any bytes as a file to import: through the decoder they are recognised as, and through each
 * of those that only files reach. */
#include "decode/import_format.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct {
        record_decoder *decode;
        enum table table;
    } own[] = {
        { import_span_dicts, TABLE_SPANS },   { import_langfuse, TABLE_SPANS },
        { import_who_and_when, TABLE_SPANS }, { import_tau_bench, TABLE_SPANS },
        { import_log_lines, TABLE_LOGS },     { import_run_rows, TABLE_LOGS },
    };
    const struct import_format *f = import_recognise(str_make(data, n));
    if (f != NULL) record_check(f->decode, f->table, data, n);
    for (size_t i = 0; i < COUNT(own); i++) record_check(own[i].decode, own[i].table, data, n);
    return 0;
}
