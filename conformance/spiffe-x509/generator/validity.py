"""Validity: both ends count, to the second, and there is no allowance for wrong clocks."""

from . import der
from .case import Suite
from .certificates import Authority, BEGIN, END
from .der import sequence, tlv

SECTION = "RFC 5280 §4.1.2.5"
FIRST, LAST = "2026-06-01T00:00:00Z", "2026-06-01T01:00:00Z"


def cases():
    suite, root = Suite("validity"), Authority("a")
    leaf = root.issue(begin=FIRST, end=LAST)
    for name, rule, time in [
            ("first-second", "notBefore itself is valid", FIRST),
            ("within", "between notBefore and notAfter a leaf is valid", "2026-06-01T00:30:00Z"),
            ("last-second", "notAfter itself is valid", LAST)]:
        suite.accept(name, rule, SECTION, leaf, root, time=time, attack="I14")
    for name, reason, rule, time in [
            ("second-before", "svid.not_yet_valid", "a second before notBefore is too early", "2026-05-31T23:59:59Z"),
            ("five-minutes-before", "svid.not_yet_valid", "no clock's error is allowed for", "2026-05-31T23:55:00Z"),
            ("second-after", "svid.expired", "a second after notAfter is too late", "2026-06-01T01:00:01Z"),
            ("five-minutes-after", "svid.expired", "no clock's error is allowed for", "2026-06-01T01:05:00Z"),
            ("years-after", "svid.expired", "what expired stays so", "2036-06-01T00:00:00Z")]:
        suite.refuse(name, reason, rule, SECTION, leaf, root, time=time, attack="I14")
    suite.refuse("expired-server", "svid.expired", "a server's leaf expires too", SECTION, leaf, root,
                 time="2026-06-01T01:00:01Z", attack="I14", role="server")
    suite.refuse("ends-before-it-begins", "svid.validity", "notAfter is not before notBefore", SECTION,
                 root.issue(begin=LAST, end=FIRST), root, time="2026-06-01T00:30:00Z", attack="I14")
    suite.accept("one-second-long", "notBefore and notAfter may be one second", SECTION,
                 root.issue(begin=FIRST, end=FIRST), root, time=FIRST, attack="I14")
    suite.accept("year-9999", "the year 9999 is written as GeneralizedTime", SECTION,
                 root.issue(end="9999-12-31T23:59:59Z"), root, attack="I14")
    suite.accept("year-2049", "the last year of UTCTime is 2049", SECTION, root.issue(end="2049-12-31T23:59:59Z"), root,
                 time="2049-12-31T23:59:59Z")
    suite.accept("year-2050", "the first year of GeneralizedTime is 2050", SECTION,
                 root.issue(end="2050-01-01T00:00:00Z"), root, time="2050-01-01T00:00:00Z")
    suite.accept("year-1950", "the first year of UTCTime is 1950", SECTION, root.issue(begin="1950-01-01T00:00:00Z"),
                 root)
    issuers(suite, root)
    forms(suite, root)
    return suite.cases


def issuers(suite, root):
    ended, later = dict(end="2026-05-31T23:59:59Z"), dict(begin="2026-06-01T00:00:01Z")
    bad, attack = "trust.intermediate_validity", "I15"
    suite.refuse("intermediate-expired", bad, "an expired intermediate vouches for nobody", SECTION,
                 root.intermediate("i", **ended).issue(), root, attack=attack)
    suite.refuse("intermediate-not-yet-valid", bad, "an intermediate of the future vouches for nobody", SECTION,
                 root.intermediate("i", **later).issue(), root, attack=attack)
    suite.refuse("upper-intermediate-expired", bad, "every intermediate is valid", SECTION,
                 root.intermediate("i", **ended).intermediate("ii").issue(), root, attack=attack)
    suite.accept("intermediate-in-its-last-second", "an intermediate's notAfter itself is valid", SECTION,
                 root.intermediate("i", end=FIRST).issue(), root)
    renewed, old = root.intermediate("i"), root.intermediate("i", **ended)
    suite.accept("intermediate-renewed", "an expired intermediate does no harm beside its renewal", SECTION,
                 renewed.issue(), root, chain=[old.der, renewed.der], attack=attack)
    expired, future = Authority("a", **ended), Authority("a", **later)
    suite.refuse("root-expired", "trust.root_expired", "an expired root vouches for nobody", SECTION, root.issue(),
                 expired, attack=attack)
    suite.refuse("root-not-yet-valid", "trust.root_not_yet_valid", "a root of the future vouches for nobody", SECTION,
                 root.issue(), future, attack=attack)
    suite.refuse("root-expired-above-an-intermediate", "trust.root_expired",
                 "an expired root vouches for no intermediate", SECTION, root.intermediate("i").issue(), expired,
                 attack=attack)
    suite.accept("root-in-its-last-second", "a root's notAfter itself is valid", SECTION, root.issue(),
                 Authority("a", end=FIRST))
    suite.accept("root-in-its-first-second", "a root's notBefore itself is valid", SECTION, root.issue(),
                 Authority("a", begin=FIRST))
    suite.accept("root-renewed", "an expired root does no harm beside its renewal", SECTION, root.issue(),
                 [expired, root], attack=attack)
    suite.accept("root-renewed-in-advance", "a root of the future does no harm beside the present one", SECTION,
                 root.issue(), [future, root], attack=attack)
    other = Authority("b", **ended)
    suite.accept("another-root-expired", "an expired root spoils no other", SECTION, root.issue(), [other, root],
                 attack=attack)
    short = root.intermediate("i", end="2026-06-02T00:00:00Z")
    suite.accept("leaf-outlives-its-issuer", "a leaf may end after its issuer; the issuer must be valid now",
                 "RFC 5280 §6.1.3", short.issue(end="2026-07-01T00:00:00Z"), root)
    suite.refuse("leaf-outlived-its-issuer", bad, "a leaf ends in effect with its issuer", "RFC 5280 §6.1.3",
                 short.issue(end="2026-07-01T00:00:00Z"), root, time="2026-06-03T00:00:00Z", attack=attack)


def forms(suite, root):
    def form(name, rule, begin=None, end=None):
        validity = sequence(begin or der.time(BEGIN), end or der.time(END))
        suite.refuse(name, "svid.malformed", rule, SECTION, root.issue(validity=validity), root, attack="I21")

    def utc(text):
        return tlv(0x17, text)

    def generalized(text):
        return tlv(0x18, text)

    form("time-without-seconds", "UTCTime has seconds", begin=utc(b"2001010000Z"))
    form("time-without-zone", "a time ends in Z", begin=utc(b"200101000000"))
    form("time-with-offset", "a time is in UTC", begin=utc(b"200101000000+0100"))
    form("time-with-fraction", "GeneralizedTime has whole seconds", end=generalized(b"99991231235959.5Z"))
    form("time-that-is-no-date", "a time is a date that exists", end=generalized(b"20261332250000Z"))
    form("time-with-letters", "a time is made of digits", begin=utc(b"2o0101000000Z"))
    form("time-empty", "a time is not empty", begin=utc(b""))
    form("time-as-text", "a time is UTCTime or GeneralizedTime", begin=tlv(0x0C, b"200101000000Z"))
    suite.refuse("validity-of-one-time", "svid.malformed", "validity is two times", SECTION,
                 root.issue(validity=sequence(der.time(BEGIN))), root, attack="I21")
