/* spend.mjs - what model calls cost, in words: never a zero for what nobody knows. Pure. */
import * as format from './format.mjs';

/* t: model_calls, unpriced_calls, calls_without_usage, total_cost_usd, as the answers about traces have them. */
export function costText(t) {
    if (!(t.model_calls > 0)) return '';
    const known = t.model_calls - t.unpriced_calls - t.calls_without_usage;
    if (known <= 0) return t.unpriced_calls > 0 ? 'unpriced' : 'not told';
    return format.usd(t.total_cost_usd) + (t.is_partial_cost ? ' and more' : '');
}
