"""Pictures that Pillow writes, in every mode and format that it has and drsn reads."""

import io

import numpy as np
from PIL import Image, ImageOps

from common import generator

MODES = ["1", "L", "L", "LA", "P", "PA", "RGB", "RGB", "RGB", "RGBA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"]


def picture(random):
    """Smooth colours and some noise: of noise alone, every decoder of a lossy format makes something else."""
    rng = generator(random)
    height, width = random.choice([(1, 1), (1, 9), (9, 1), (8, 8), (17, 23), (40, 24), (28, 28)])
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x * rng.uniform(0, 0.4) + y * rng.uniform(0, 0.4) + rng.uniform(0, 6)) for _ in range(4)]
    levels = np.clip(np.stack(waves, axis=2) + rng.normal(0, random.choice([0, 0, 5]), size=(height, width, 4)), 0, 255)
    if random.random() < 0.3:
        levels[..., 3] = 255
    mode = random.choice(MODES)
    if mode in ("I", "I;16"):
        return Image.fromarray((levels[..., 0] * 257).astype(np.uint16)) if mode == "I;16" else Image.fromarray(
            (levels[..., 0] * 257).astype(np.int32))
    if mode == "F":
        return Image.fromarray(levels[..., 0].astype(np.float32))
    whole = Image.fromarray(levels.astype(np.uint8), "RGBA")
    if mode == "PA":
        return whole.convert("P").convert("PA")
    if mode == "P" and random.random() < 0.5:
        return whole.convert("RGB").quantize(random.choice([2, 3, 16, 200]))
    return (whole if mode in ("RGBA", "LA") else whole.convert("RGB")).convert(mode)


def options(random, kind):
    chosen = {
        "PNG": lambda: {"optimize": random.random() < 0.3, "compress_level": random.randint(0, 9)},
        "JPEG": lambda: {
            "quality": random.choice([60, 75, 95, 100]), "progressive": random.random() < 0.4,
            "optimize": random.random() < 0.3, "subsampling": random.choice([0, 1, 2]),
        },
        "BMP": dict,
        "GIF": lambda: {"interlace": random.choice([0, 1]), "optimize": random.random() < 0.3},
        "WEBP": lambda: {
            "lossless": random.random() < 0.5, "quality": random.choice([60, 80, 100]), "exact": random.random() < 0.3,
            "method": random.choice([0, 4, 6]),
        },
    }[kind]()
    if kind in ("PNG", "JPEG", "WEBP") and random.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = random.randint(1, 8)
        chosen["exif"] = exif
    if kind == "PNG" and random.random() < 0.2:
        chosen["bits"] = random.choice([1, 2, 4, 8])
    return chosen


def levels(opened):
    """The red, green and blue that Pillow reads, over black, from 0 to 255."""
    if opened.mode in ("I", "I;16", "F"):
        grey = np.asarray(opened).astype(np.float64) / 257
        return np.stack([grey] * 3)
    colours = np.asarray(opened.convert("RGBA")).astype(np.float64)
    return np.moveaxis(colours[..., :3] * colours[..., 3:] / 255, 2, 0)


def write(random, folder, number):
    kind = random.choice(["PNG", "PNG", "JPEG", "JPEG", "BMP", "GIF", "WEBP"])
    image, chosen = picture(random), options(random, kind)
    if kind == "JPEG" and image.width < 5:
        # libjpeg spreads the colours of wider pictures smoothly, and of these not.
        chosen["subsampling"] = 0
    mode = image.mode
    more = [picture(random).resize(image.size).convert(mode)] if random.random() < 0.1 and mode in ("L", "RGB", "RGBA") else []
    if more and kind in ("GIF", "WEBP", "PNG"):
        chosen.update(save_all=True, append_images=more)
    if kind == "PNG" and mode == "P" and random.random() < 0.4:
        chosen["transparency"] = random.choice([0, bytes([0, 128, 255])])
    if kind == "PNG" and mode in ("L", "RGB") and random.random() < 0.2:
        chosen["transparency"] = image.getpixel((0, 0))
        if mode == "L":
            # Of fewer bits, Pillow compares the transparent sample with those that it has spread to eight.
            chosen.pop("bits", None)
    file = number + "." + kind.lower()
    try:
        image.save(folder / file, kind, **chosen)
        opened = ImageOps.exif_transpose(Image.open(io.BytesIO((folder / file).read_bytes())))
    except (OSError, ValueError, KeyError, TypeError):
        return []
    rgb = levels(opened)
    is_lossy = kind == "JPEG" or kind == "WEBP" and not chosen["lossless"]
    shown = {key: value for key, value in chosen.items() if key not in ("exif", "append_images")}
    orientation = chosen["exif"][0x0112] if "exif" in chosen else None
    return [{
        "file": file, "about": f"{kind} {mode} read as {opened.mode} {shown} orientation {orientation}",
        "height": opened.height, "width": opened.width, "levels": rgb.ravel().round(4).tolist(), "is_lossy": is_lossy,
    }]
