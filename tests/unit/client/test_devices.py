import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.client.devices import AmbiguousDevice, Device, choose, listing
from parola.domain.errors import NotFound

WEBCAM = Device(0, "Webcam: USB (hw:1,0)", "ALSA", 1, 48_000)
MIXER = Device(3, "Mixer", "ALSA", 2, 44_100, is_default=True)
MIXER_JACK = Device(4, "Mixer", "JACK Audio Connection Kit", 2, 48_000)
MIXER_PRO = Device(5, "Mixer Pro", "ALSA", 8, 96_000)
ALL = [WEBCAM, MIXER, MIXER_JACK, MIXER_PRO]

names = st.sampled_from(["Mic", "mic", "Mic 2", "USB Mic", "Mixer", "é"])
lists = st.lists(
    st.builds(
        Device,
        st.integers(0, 9),
        names,
        st.sampled_from(["ALSA", "JACK"]),
        st.integers(1, 8),
        st.just(48_000),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda device: device.number,
)


@given(lists, st.data())
def test_a_name_means_the_device_that_has_it(devices: list[Device], data: st.DataObject) -> None:
    """A whole name never means a device that only begins with it; two of a name are refused."""
    wanted = data.draw(st.sampled_from(devices)).name
    having = [device for device in devices if device.name.casefold() == wanted.casefold()]
    if len(having) == 1:
        assert choose(devices, wanted.upper()) == having[0]
    else:
        with pytest.raises(AmbiguousDevice) as raised:
            choose(devices, wanted)
        assert all(f"{device.number}  {device.label}" in raised.value.message for device in having)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("0", WEBCAM),
        (" 4 ", MIXER_JACK),
        ("webcam", WEBCAM),
        ("hw:1,0", WEBCAM),
        ("Mixer, ALSA", MIXER),
        ("mixer, jack audio connection kit", MIXER_JACK),
        ("Mixer Pro", MIXER_PRO),
        ("jack", MIXER_JACK),
        (None, MIXER),
    ],
)
def test_people_name_devices_as_they_like(wanted: str | None, meant: Device) -> None:
    """A number, a name, a part of one, or the sound system beside it find the device."""
    assert choose(ALL, wanted) == meant


@pytest.mark.parametrize("wanted", ["9", "tape", ""])
def test_what_is_not_there_is_answered_with_what_is(wanted: str) -> None:
    """A wish that nothing or everything fits gets the list."""
    with pytest.raises((NotFound, AmbiguousDevice)) as raised:
        choose(ALL, wanted)
    assert listing(ALL) in raised.value.message


def test_without_a_device_it_says_what_to_do() -> None:
    """A computer without microphones gets a sentence."""
    with pytest.raises(NotFound, match="plug one in"):
        choose([], None)


def test_without_a_default_the_first_is_taken() -> None:
    """Where the system prefers none, the first one is."""
    assert choose([WEBCAM, MIXER_JACK], None) == WEBCAM
