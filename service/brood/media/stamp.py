"""What is written into every picture: what made it, how to make it again, and that it is AI-generated.

The mark has two forms, for readers and for programs: a plain comment, and the IPTC digital source type
``trainedAlgorithmicMedia`` as an XMP packet (IPTC Photo Metadata Standard; XMP part 3, embedding in PNG).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from brood.media.png import international_chunk, text_chunk

AI_GENERATED = "AI-generated: IPTC digital source type trainedAlgorithmicMedia"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta>'
)
MARK = (
    text_chunk("Software", "brood"),
    text_chunk("Comment", AI_GENERATED),
    international_chunk("XML:com.adobe.xmp", XMP),
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes one sample again."""

    model: str
    version: int
    operation: str
    seed: int
    index: int
    step: int | None = None  # of a preview: how many steps the sample had behind it

    def texts(self) -> tuple[bytes, ...]:
        """The PNG text chunks of one sample, in fixed order."""
        own = (
            text_chunk("model", self.model),
            text_chunk("version", str(self.version)),
            text_chunk("operation", self.operation),
            text_chunk("seed", str(self.seed)),
            text_chunk("index", str(self.index)),
        )
        unfinished = () if self.step is None else (text_chunk("step", str(self.step)),)
        return (*MARK, *own, *unfinished)

    def sentence(self) -> str:
        """The same in one line, for files that have room for no more: ``AI-generated: …; model glyphs-vae; …``."""
        words = (f"{name} {value}" for name, value in asdict(self).items() if value is not None)
        return "; ".join([AI_GENERATED, *words])
