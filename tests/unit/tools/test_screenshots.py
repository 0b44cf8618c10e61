"""The matrix of screenshots."""

from tools.screenshots.scenes import COUNTS, FEED_VIEWS, LANGUAGES, LOST, SCHEMES, SIZES, STATES, VIEWS, looks, query_of, scenes


def test_the_matrix_has_every_view_at_every_width_in_every_theme_and_language() -> None:
    every = [(scene, look) for scene in scenes(VIEWS, STATES) for look in looks(list(SIZES), SCHEMES, LANGUAGES)]
    assert {scene.view for scene, _ in every} == set(VIEWS)
    assert {(look.width, look.scheme, look.language) for _, look in every} == {
        (width, scheme, language) for width in SIZES for scheme in SCHEMES for language in LANGUAGES
    }
    assert len({scene.file(look) for scene, look in every}) == len(every)


def test_every_view_of_rooms_is_shown_with_each_number_of_them_and_with_the_link_lost() -> None:
    states = {view: {scene.state for scene in scenes([view], STATES)} for view in FEED_VIEWS}
    assert states.pop("live") == states.pop("table") == {*COUNTS, LOST} - {"0"}  # without rooms these are the first run
    assert all(found == {*COUNTS, LOST} for found in states.values())


def test_the_views_that_a_person_chooses_are_part_of_the_address() -> None:
    queries = {view: query_of(view, ("ana", "camsoda"), 10_000) for view in ("live", "wall", "room", "analytics", "why")}
    assert queries["live"] == ""
    assert len(set(queries.values())) == len(queries)
    assert "room=ana&on=camsoda" in queries["room"]
