"""Aligning a picture, or a whole clip by one transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from merprep.errors import ImageError, UsageError
from merprep.faces.backends import backend as backend_named
from merprep.faces.backends.base import Backend, DetectedFace, FaceBox, MarksMany
from merprep.faces.config import AlignConfig
from merprep.faces.finding import FoundFace, find_face
from merprep.faces.geometry import apply, face_transform, resize_transform
from merprep.faces.images import Image, checked
from merprep.faces.warp import warp


@dataclass(frozen=True)
class AlignedFace:
    """A face in the common geometry.

    Parameters
    ----------
    image : (S, S) or (S, S, 3) uint8
        Grey or BGR, as the original was.
    landmarks : (P, 2) float32
        (x, y) in pixels of the aligned face.
    transform : (2, 3) float64
        From the original image to the aligned face: ``transform[:, :2] @ (x, y) + transform[:, 2]``.
    score : float
        Confidence of the landmarks, 0 to 1.
    scheme : str
        What the landmarks are (``mesh478``).
    box : FaceBox
        Of the face in the original image.
    faces : int
        How many faces were found; which is aligned is `AlignConfig.person`.
    residual : float
        Root mean square distance of the expression-stable points from their places, px of the aligned face.
    attempt : str
        How the face was found: ``as it is``, or after which change of the image.
    backend : str
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    transform: NDArray[np.float64]
    score: float
    scheme: str
    box: FaceBox
    faces: int
    residual: float
    attempt: str
    backend: str


@dataclass(frozen=True)
class AlignedClip:
    """All frames of a clip, moved by one transform.

    Parameters
    ----------
    frames : (T, S, S) or (T, S, S, 3) uint8
    face : AlignedFace
        Of the reference frame; its transform is that of every frame.
    """

    frames: NDArray[np.uint8]
    face: AlignedFace


def align(
    image: Image,
    backend: str = "auto",
    *,
    config: AlignConfig | None = None,
    following: Sequence[Image] = (),
    name: str | None = None,
    where: str | None = None,
    device: str = "auto",
) -> AlignedFace:
    """Find the face of a picture and bring it into the common geometry.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
        Grey or BGR, as `cv2.imread` gives it.
    backend : str
        What finds the landmarks (ignored where `config` is given).
    config : AlignConfig, optional
        Size, geometry and interpolation.
    following : sequence of (H, W) or (H, W, 3) uint8
        Frames of the same face right after the image: the landmarks are then the median over all of them. They are
        marked within the first one's box, which adds less jitter than to look for the face in each.
    name : str, optional
        Under which ``precomputed`` landmarks know the image; `where` if not given.
    where : str, optional
        The image's name, for messages.
    device : str
        ``auto``, ``cpu`` or ``cuda``, for backends whose network can use one.

    Returns
    -------
    AlignedFace

    Raises
    ------
    ImageError
        Where the image is not 8 bit, empty, tiny or of another shape.
    FaceError
        Where no face is found.
    WeightsError
        Where the backend's weights are missing and cannot be fetched.

    Examples
    --------
    >>> import skimage.data
    >>> face = align(skimage.data.astronaut()[:, :, ::-1])  # doctest: +SKIP
    >>> face.image.shape, face.landmarks.shape  # doctest: +SKIP
    ((224, 224, 3), (478, 2))
    """
    settings = config or AlignConfig(backend=backend)
    more = [checked(frame, where=where) for frame in following]
    return _aligned(checked(image, where=where), more, settings, name=name, where=where, device=device)


def align_clip(
    frames: Sequence[Image],
    reference: int = 0,
    config: AlignConfig | None = None,
    *,
    name: str | None = None,
    where: str | None = None,
    device: str = "auto",
) -> AlignedClip:
    """Align all frames of a clip by the one transform that its reference frame gives.

    A transform for each frame would add the landmarks' own jitter (0.1 to 0.25 px) to a motion of that size, and
    would take out part of the expression.

    Parameters
    ----------
    frames : sequence of (H, W) or (H, W, 3) uint8
        All of one shape.
    reference : int
        Index of the frame whose landmarks count, usually the onset.
    config : AlignConfig, optional
        With ``refine="ecc"`` the head's motion is taken out of each frame, too.
    name, where : str, optional
        As for `align`; of the reference frame.
    device : str

    Returns
    -------
    AlignedClip

    Raises
    ------
    UsageError
        Where there is no such frame.
    ImageError, FaceError, WeightsError
        As for `align`; also where the frames differ in shape.
    """
    if not -len(frames) <= reference < len(frames):
        raise UsageError("There is no such reference frame", expected=f"0..{len(frames) - 1}", found=str(reference))
    settings = config or AlignConfig()
    images = [checked(frame, where=where) for frame in frames]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise ImageError("The frames of the clip differ in shape", where=where, found=str(sorted(shapes, key=str)))
    index = reference % len(images)
    following = images[index + 1 : index + settings.reference_frames]
    face = _aligned(images[index], following, settings, name=name, where=where, device=device)
    warped = [
        face.image if number == index else warp_frame(image, face.image, face.transform, settings)
        for number, image in enumerate(images)
    ]
    return AlignedClip(np.stack(warped), face)


def warp_frame(
    image: Image, reference: NDArray[np.uint8], transform: NDArray[np.float64], config: AlignConfig
) -> NDArray[np.uint8]:
    """Warp another frame of a clip by the clip's transform, from the original pixels by one interpolation.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8
    reference : (S, S) or (S, S, 3) uint8
        The aligned reference frame, which a refinement brings the frame onto.
    transform : (2, 3) float64
        The clip's.
    config : AlignConfig

    Returns
    -------
    (S, S) or (S, S, 3) uint8
    """
    warped = warp(image, transform, config.size, interpolation=config.interpolation)
    if config.refine == "none":
        return warped
    from merprep.faces.refinement import refined_transform

    refined = refined_transform(reference, warped, transform, config)
    return warp(image, refined, config.size, interpolation=config.interpolation)


def _aligned(
    image: Image, following: Sequence[Image], config: AlignConfig, *, name: str | None, where: str | None, device: str
) -> AlignedFace:
    finder = backend_named(config.backend, device=device, landmarks=config.landmarks)
    found: FoundFace = find_face(image, finder, person=config.person, name=name, where=where)
    landmarks = _median_landmarks(finder, found.face, following)
    transform, residual = face_transform(landmarks, found.face.scheme, config)
    if config.backend == "none":
        transform = resize_transform(image.shape, config.size)
    return AlignedFace(
        image=warp(image, transform, config.size, interpolation=config.interpolation),
        landmarks=apply(transform, landmarks).astype(np.float32),
        transform=transform,
        score=found.face.score,
        scheme=found.face.scheme,
        box=found.face.box,
        faces=found.faces,
        residual=residual,
        attempt=found.attempt,
        backend=config.backend,
    )


def _median_landmarks(finder: Backend, face: DetectedFace, following: Sequence[Image]) -> NDArray[np.float64]:
    """Return the median of a face's landmarks and those that the following frames have within its box."""
    if isinstance(finder, MarksMany) and following:
        marked: Sequence[DetectedFace | None] = finder.mark_all(following, [face.box] * len(following))
    else:
        marked = [finder.mark(image, face.box) for image in following]
    # A frame in which the face is lost (a blink of the detector, a cut) says nothing.
    points = [face.landmarks, *(each.landmarks for each in marked if each is not None)]
    return face.landmarks if len(points) == 1 else np.median(points, axis=0)
