//! The words that engines and we ourselves write errors with. An error's text is shown word by word
//! where it is made of these: whatever else stands in it may be a value, decoded or cut out of one.

/// Every word of an engine's message that says what went wrong; no name and no value.
const WORDS: &str = "
    a accept action active adding address after alignment allow allowed already an ancestor ancestors
    and any apply are argument arguments arithmetic array as assignment at attempting attribute
    attributes available base be beginning behind between binding bit body bool boolean both bounds
    brace bracketed but by bytes can cannot change changed character cidr classify closing closure
    collection column comparison compilation compiled complete component components composite
    concatenated conflict conflicts constructor contain contains context conversion convert converting
    could count current data date datetime decided decimal decision decision's decode default defined
    definition deleted delimiters deny deserialization deserialize detected determine did different
    digits divide division do document does duplicate duplicated duration during element elements
    embedded empty encountered end entity entry equal error escape evaluate evaluating evaluation
    exceeded exceeds execution exist expected expects expression expressions extension extra failed
    false field fields file find float followed for forbid forgot format found from function functions
    generated give glob got has have header headers here hex honoured hour if in incorrect index
    indexed indexing indices input inserted instead integer internal invalid ip ipaddr is it item items
    itself json key keys keyword larger large leading leak least length likely limit line list literals
    loaded local long longer loop make many marshaling maximum may maybe members memory metadata method
    millisecond milliseconds minute mismatch missing modifier module modules modulo more most multiple
    must name names negative neighbors no node not nothing null number numeric object objects of offset
    on one only op operand option optional or other out output outputs outside overflow overflows
    package padding pairs param parameter parameters parents parse parser parsing patch path paths
    pattern placeholder policy position positive prefix previous print produce produced provided proxy
    query range raw reached read reads record recursion ref reference regex registered remove repetition
    representable representation requires residual response restricted result reverse root rule rules
    same scalar schedule scheduled schema scope scopes segments semver separated sequence serialization
    serialize set sets should signed single size source spaces specified specifier standard start
    statement statements status step string strings succeeded supplied supported supports symbol syntax
    table target than that the there this time timestamp to too trailing transitive true two type unary
    unclosed undefined unexpected unhandled unit unknown unmatched unrecognised unrecognized unresolved
    unsafe use used using valid value values variable verb verbs walk was we what when where which while
    width with within without would wrong yaml you zero zeros
";

pub(super) fn is_known(word: &str) -> bool {
    WORDS.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(word))
}
