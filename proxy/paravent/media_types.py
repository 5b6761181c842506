"""Values of Content-Type that name one format in UTF-8, and no other (RFC 9110 section 8.3.1).

    application/json; charset=utf-8
    application/soap+xml; charset=utf-8; action="urn:exemple:droits:1:ConsulterDroits"
    application/fhir+json; fhirVersion=4.0

Questions have one and answers too: `policy` and `masking` are siblings.
"""

import re
from typing import Final

_UTF8: Final = rb'charset=(?:utf-?8|"utf-?8")'
"""Under both names that browsers know it by (Encoding Standard, section 4.2)."""
ACTION: Final = rb"action=(?:\"[ !#-\[\]-~]*\"|[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
"""RFC 3902 section 3: SOAP 1.2 says here what SOAP 1.1 says in a header of its own. Neither is read: what is asked, the
body says."""
FHIR_R4: Final = rb'fhirVersion=(?:4\.0|"4\.0")'
"""FHIR R4, RESTful API, "FHIR Version Parameter"."""

CSV_HEADER: Final = rb"header=present"
"""RFC 4180 section 3: the first record names the columns. One without (`absent`) has no names to go by."""


def media_type(names: bytes, parameter: bytes = b"") -> re.Pattern[bytes]:
    """These types, with their charset or without, and with `parameter` before it or behind, or without."""
    # Names of types, of parameters and of the charset are case-insensitive.
    charset, other = (rb"[ \t]*;[ \t]*(?:%b)" % each for each in (_UTF8, parameter))
    either = rb"%b(?:%b)?|%b(?:%b)?" % (charset, other, other, charset) if parameter else charset
    return re.compile(rb"(?:%b)(?:%b)?" % (names, either), re.IGNORECASE)
