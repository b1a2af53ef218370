/* Fingerprints as Prometheus' own library gives them. */
#include "model/alert.h"

#include "unit/test.h"

TEST(alert_fingerprint_of_no_labels_is_the_offset_basis)
{
    EXPECT(alert_fingerprint((struct labels){ NULL, 0 }) == 0xcbf29ce484222325u);
}

TEST(alert_fingerprint_tells_names_from_values)
{
    struct label ab[] = { { STR("a"), STR("bc") } }, abc[] = { { STR("ab"), STR("c") } };

    EXPECT(alert_fingerprint((struct labels){ ab, 1 }) != alert_fingerprint((struct labels){ abc, 1 }));
}

TEST(alert_is_resolved_once_its_end_has_come)
{
    struct alert a = { .ends_ms = 0 };

    EXPECT(!alert_is_resolved(&a, 10));
    a.ends_ms = 10;
    EXPECT(alert_is_resolved(&a, 10) && !alert_is_resolved(&a, 9));
}

TESTS(CASE(alert_fingerprint_of_no_labels_is_the_offset_basis),
      CASE(alert_fingerprint_tells_names_from_values), CASE(alert_is_resolved_once_its_end_has_come))
