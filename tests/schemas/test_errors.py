from whyseg.schemas import errors


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "──" in line or line.strip() == "WhysegError"]
    path: list[str] = []
    found: dict[str, str] = {}
    for line in drawn:
        name = line.split("── ")[-1].split()[0]
        depth = (line.index(name) - 4) // 4
        path[depth:] = [name]
        if depth:
            found[name] = path[depth - 1]
    real = {
        name: thing.__mro__[1].__name__
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, errors.WhysegError) and name != "WhysegError"
    }
    assert found == real
