//! Agrees on the generation of all heads.

/// KEYS: generation.
/// ARGV: one that is distrusted, or ''; a new one; how the generations of this run of the server end.
/// Returns: the generation that holds now. It is written in any case, so that a server that takes no writes is found out.
pub(in super::super) const GENERATION: &str = r"
local held = redis.call('GET', KEYS[1])
if not held or held == ARGV[1] or string.sub(held, -#ARGV[3]) ~= ARGV[3] then held = ARGV[2] end
redis.call('SET', KEYS[1], held)
return held
";
