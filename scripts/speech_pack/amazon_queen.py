"""Spoken lines with their texts from "Flight of the Amazon Queen" (Debian package flight-of-the-amazon-queen).

The package's queen.1c is one archive: "QTBL", a version of 6 characters and 2 bytes, a byte for the compression (1 = MP3),
a count (u16), then entries of name[12], bundle (u8), offset and size (u32), big-endian all. Recordings are called
KKIIIIWP.SB: dialogue K (two digits), line I (four hexadecimal digits), who speaks (J = Joe, the player's figure, P = the
other one), part P of the line. Dialogues (.DOG) hold lines as id (u16), length (u8), text, padded to even; a text has
*NN (gestures) where a new part begins. Joe's lines come before the offset that stands at byte 42.

Where the number of parts and of recordings differ, the line is left out.
"""
import os
import re
import struct

HEADER = 20  # bytes before a dialogue's own data


def entries(data):
    """{name: bytes} of an archive."""
    if data[:4] != b"QTBL" or data[12] != 1:
        raise ValueError("not an archive of MP3 recordings")
    (count,) = struct.unpack(">H", data[13:15])
    files = {}
    for i in range(count):
        entry = data[15 + 21 * i:36 + 21 * i]
        offset, size = struct.unpack(">II", entry[13:21])
        files[entry[:12].split(b"\0")[0].decode("latin1")] = data[offset:offset + size]
    return files


def lines(dialogue):
    """(place, id, text) of every line of a dialogue."""
    at = HEADER + 8
    while at < len(dialogue) - 3:
        number, length = struct.unpack(">HB", dialogue[at:at + 3])
        text = dialogue[at + 3:at + 3 + length]
        if 2 <= length <= 250 and len(text) == length and 0 < number < 0x1000 and re.fullmatch(rb"[ -~]*[A-Za-z][ -~]*", text):
            yield at, number, text.decode()
            at += 3 + length + (3 + length & 1)
        else:
            at += 2


def recordings(archive, folder):
    """(speaker, MP3 file, text) of all lines; the files are written to `folder`."""
    files = entries(open(archive, "rb").read())
    os.makedirs(folder, exist_ok=True)
    for name, dialogue in sorted(files.items()):
        if not name.endswith(".DOG"):
            continue
        (key,) = struct.unpack(">h", dialogue[24:26])
        joe_ends = struct.unpack(">H", dialogue[42:44])[0] + HEADER
        for place, number, text in lines(dialogue):
            who = "J" if place < joe_ends else "P"
            stem = f"{key:02d}{number:04X}{who}"
            sounds = [f"{stem}{part}" for part in range(1, 9) if f"{stem}{part}.SB" in files]
            parts = [part.strip() for part in re.split(r"\*[0-9A-Z]{2}", text) if part.strip()]
            if len(sounds) != len(parts):
                continue
            speaker = "queen-joe" if who == "J" else "queen-" + re.sub(r"[0-9]*\.DOG", "", name).lower()
            for sound, part in zip(sounds, parts):
                words = " ".join(re.sub(r"[^A-Za-z']", " ", part).lower().split())
                if len(words) <= 4:
                    continue
                path = os.path.join(folder, sound + ".mp3")
                if not os.path.exists(path):
                    with open(path, "wb") as out:
                        out.write(files[sound + ".SB"])
                yield speaker, path, words
