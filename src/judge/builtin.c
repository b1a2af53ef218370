/* builtin.c - see builtin.h. The assembler takes the files as they are; paths are those of the build, which
 * runs at the top of the project. */
#include "judge/builtin.h"

#include "base/check.h"

#define EMBED(name, path)                                                                                    \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".hidden builtin_" #name "_begin\n.hidden builtin_" #name "_end\n"                               \
            ".global builtin_" #name "_begin\n.global builtin_" #name "_end\n"                               \
            "builtin_" #name "_begin:\n.incbin \"" path "\"\nbuiltin_" #name "_end:\n.byte 0\n"              \
            ".popsection\n");                                                                                \
    extern const char builtin_##name##_begin[], builtin_##name##_end[]

EMBED(core, "src/judge/builtin/core.yml");
EMBED(system, "src/judge/builtin/system.yml");
EMBED(agents, "src/judge/builtin/agents.yml");
EMBED(business, "src/judge/builtin/business.yml");
EMBED(load_balancer, "src/judge/builtin/load_balancer.yml");
EMBED(cost, "src/judge/builtin/cost.yml");
EMBED(sla, "src/judge/builtin/sla.yml");
EMBED(security, "src/judge/builtin/security.yml");

#define ONE(name)                                                                                            \
    {                                                                                                        \
        "builtin/" #name ".yml", builtin_##name##_begin, builtin_##name##_end                                \
    }

const struct builtin_rules builtin_rules[] = {
    ONE(core),          ONE(system), ONE(agents), ONE(business),
    ONE(load_balancer), ONE(cost),   ONE(sla),    ONE(security),
};
const size_t builtin_rules_count = COUNT(builtin_rules);
