"""Writes what the layer of the render function contains of others, and under which licences, into the layer:
`python3 layer_notice.py LAYER PIN`, where LAYER has bin/ffmpeg and fonts/, and PIN is the package of ffmpeg."""

import json
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GPL = ROOT / "infra/licences/GPL-3.0.txt"
FONT_LIST = ROOT / "shared/render/fonts/package.json"
FONT_SCOPE = "@expo-google-fonts/"
FONT_LICENCE = "SIL Open Font License, Version 1.1"
# ffmpeg's licence is the GPL, version 3 or later, with both of these, and permits no distribution with the third.
GPL_OPTIONS, NONFREE = {"gpl", "version3"}, "nonfree"
# Options of the configuration that name no library.
NO_LIBRARIES = {"gpl", "version3", "static", "gray"}
# What an option of the configuration links: name, licence, source.
LIBRARIES = {
    "fontconfig": ("Fontconfig", "MIT", "https://gitlab.freedesktop.org/fontconfig/fontconfig"),
    "frei0r": ("frei0r (its interface)", "GPL-2.0-or-later", "https://github.com/dyne/frei0r"),
    "gmp": ("GMP", "LGPL-3.0-or-later OR GPL-2.0-or-later", "https://gmplib.org"),
    "gnutls": ("GnuTLS", "LGPL-2.1-or-later", "https://www.gnutls.org"),
    "libaom": ("libaom", "BSD-2-Clause", "https://aomedia.googlesource.com/aom"),
    "libass": ("libass", "ISC", "https://github.com/libass/libass"),
    "libdav1d": ("dav1d", "BSD-2-Clause", "https://code.videolan.org/videolan/dav1d"),
    "libfreetype": ("FreeType", "FTL OR GPL-2.0-or-later", "https://gitlab.freedesktop.org/freetype/freetype"),
    "libfribidi": ("FriBidi", "LGPL-2.1-or-later", "https://github.com/fribidi/fribidi"),
    "libgme": ("Game Music Emu", "LGPL-2.1-or-later", "https://github.com/libgme/game-music-emu"),
    "libmp3lame": ("LAME", "LGPL-2.0-or-later", "https://lame.sourceforge.io"),
    "libopencore-amrnb": ("OpenCORE AMR-NB", "Apache-2.0", "https://sourceforge.net/projects/opencore-amr"),
    "libopencore-amrwb": ("OpenCORE AMR-WB", "Apache-2.0", "https://sourceforge.net/projects/opencore-amr"),
    "libopenjpeg": ("OpenJPEG", "BSD-2-Clause", "https://github.com/uclouvain/openjpeg"),
    "libopus": ("Opus", "BSD-3-Clause", "https://gitlab.xiph.org/xiph/opus"),
    "librubberband": ("Rubber Band", "GPL-2.0-or-later", "https://github.com/breakfastquay/rubberband"),
    "libsoxr": ("SoX Resampler", "LGPL-2.1-or-later", "https://sourceforge.net/projects/soxr"),
    "libspeex": ("Speex", "BSD-3-Clause", "https://gitlab.xiph.org/xiph/speex"),
    "libsrt": ("SRT", "MPL-2.0", "https://github.com/Haivision/srt"),
    "libtheora": ("Theora", "BSD-3-Clause", "https://gitlab.xiph.org/xiph/theora"),
    "libvidstab": ("vid.stab", "GPL-2.0-or-later", "https://github.com/georgmartius/vid.stab"),
    "libvmaf": ("VMAF", "BSD-2-Clause-Patent", "https://github.com/Netflix/vmaf"),
    "libvo-amrwbenc": ("VisualOn AMR-WB", "Apache-2.0", "https://sourceforge.net/projects/opencore-amr"),
    "libvorbis": ("Vorbis and Ogg", "BSD-3-Clause", "https://gitlab.xiph.org/xiph/vorbis"),
    "libvpx": ("libvpx", "BSD-3-Clause", "https://chromium.googlesource.com/webm/libvpx"),
    "libwebp": ("libwebp", "BSD-3-Clause", "https://chromium.googlesource.com/webm/libwebp"),
    "libx264": ("x264", "GPL-2.0-or-later", "https://code.videolan.org/videolan/x264"),
    "libx265": ("x265", "GPL-2.0-or-later", "https://bitbucket.org/multicoreware/x265_git"),
    "libxml2": ("libxml2", "MIT", "https://gitlab.gnome.org/GNOME/libxml2"),
    "libxvid": ("Xvid", "GPL-2.0-or-later", "https://www.xvid.com"),
    "libzimg": ("zimg", "WTFPL", "https://github.com/sekrit-twc/zimg"),
    "libzvbi": ("ZVBI", "GPL-2.0-or-later", "https://github.com/zapping-vbi/zvbi"),
}
TEXT = """\
The layer of Reelhook's render function
=======================================

The layer contains a program and fonts of others, unchanged. It contains no code of Reelhook, which runs the program as
a separate process and is not linked to it.

bin/ffmpeg
----------
FFmpeg {version}, a static build by John Van Sickle (https://johnvansickle.com/ffmpeg/), from the Python package
{package}. Copyright (c) the FFmpeg developers.

Licence: GNU General Public License, version 3 or later (licences/GPL-3.0.txt), since it is configured with --enable-gpl
and --enable-version3.

Source: https://ffmpeg.org/releases/ffmpeg-{version}.tar.xz; the libraries, as far as the builder publishes them, at
https://johnvansickle.com/ffmpeg/release-source/, else at the addresses below. Whoever gives this layer to others has to
give them this source too, or offer it: section 6 of the licence says how. Keep a copy of the source if you do.

Configuration: {configuration}

Libraries in it, each under the licence named here, and all together under that of FFmpeg:

{libraries}

and what these libraries and the program need themselves, such as the GNU C Library (LGPL-2.1-or-later) and zlib (Zlib).

fonts/
------
Each font is under the SIL Open Font License 1.1. The texts, with the copyright of each, are in fonts/licences. The
fonts are those of these packages:

{fonts}
"""


class Problem(Exception):
    """What would make the notice wrong or the layer one that nobody may distribute."""


def notice(layer, pin):
    """The text of the notice for a layer."""
    version, configuration = of_ffmpeg((layer / "bin/ffmpeg").read_bytes())
    return TEXT.format(
        version=version,
        package=pin.replace("==", " "),
        configuration=configuration,
        libraries=table(libraries(configuration)),
        fonts=table(fonts(layer / "fonts/licences", json.loads(FONT_LIST.read_text(encoding="utf-8")))),
    )


def of_ffmpeg(binary):
    """Version and configuration, which are texts in the program: it may be one for another processor."""
    version = re.search(rb"(\d+(?:\.\d+)+)-static https://johnvansickle\.com/ffmpeg/", binary)
    configuration = re.search(rb"\0(--[ -~]*--enable-[ -~]*)\0", binary)
    if not version or not configuration:
        raise Problem("bin/ffmpeg is not a static build by John Van Sickle: describe the new one in infra/local/layer_notice.py")
    return version[1].decode(), configuration[1].decode().strip()


def libraries(configuration):
    """Name, licence and source of each library in a configuration."""
    options = set(re.findall(r"--enable-([\w-]+)", configuration))
    if NONFREE in options or not options >= GPL_OPTIONS:
        raise Problem("the licence of bin/ffmpeg is not the GPL, version 3: change the licence that the layer names")
    unknown = sorted(options - NO_LIBRARIES - LIBRARIES.keys())
    if unknown:
        raise Problem(f"name the licences of {', '.join(unknown)} in infra/local/layer_notice.py")
    return sorted((LIBRARIES[option] for option in options - NO_LIBRARIES), key=lambda library: library[0].lower())


def fonts(texts, package):
    """Package, version and copyright of each font, by their licence texts."""
    found = []
    for path in sorted(texts.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        if FONT_LICENCE not in text:
            raise Problem(f"the licence of the font {path.stem} is not the {FONT_LICENCE}")
        name = FONT_SCOPE + path.stem
        found.append((name, package["dependencies"][name], text.strip().splitlines()[0].strip()))
    if len(found) != len(package["dependencies"]):
        raise Problem(f"{len(package['dependencies'])} fonts are installed, but {len(found)} have a licence text")
    return found


def table(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def main(layer, pin):
    layer = pathlib.Path(layer)
    text = notice(layer, pin)
    (layer / "NOTICE.txt").write_text(text, encoding="utf-8")
    (layer / "licences").mkdir(exist_ok=True)
    shutil.copyfile(GPL, layer / "licences" / GPL.name)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Problem as problem:
        sys.exit(f"infra/local/layer_notice.py: {problem}")
