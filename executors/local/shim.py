"""Runs one python electron for latticed.

usage: python3 .shim.py FILE FUNCTION

Calls FUNCTION of FILE with the arguments in $LATTICED_ARGS (and those pickled in
.arg-NAME.pickle) as keywords, and leaves what it returns in $LATTICED_RESULT as JSON.
What JSON can't hold without a loss goes to .result.pickle as well; the JSON is then a
view of it. Notes and the last line of a traceback go to .report.
"""
import sys

if __name__ == "__main__":
    sys.path.pop(0)  # the electron's own files must not stand in for the library's

import json
import math
import os
import traceback

_dir = os.getcwd()  # the electron may go elsewhere
_notes = []


def _note(text):
    if text not in _notes and len(_notes) < 20:
        _notes.append(text)


def _exact(v, depth=0):
    """Tells whether JSON gives v back, equal in value and type."""
    if depth > 200:
        return False
    t = type(v)
    if v is None or t is bool:
        return True
    if t is int:
        return -(2**63) <= v < 2**63
    if t is float:
        return math.isfinite(v)
    if t is str:
        return _encodable(v)
    if t is list:
        return all(_exact(x, depth + 1) for x in v)
    if t is dict:
        return all(type(k) is str and _encodable(k) and _exact(x, depth + 1) for k, x in v.items())
    return False


def _encodable(s):
    try:
        s.encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False


def _text(s):
    return s.encode("utf-8", "replace").decode("utf-8")


def _view(v, depth=0):
    """The nearest thing to v that JSON can hold."""
    if depth > 100:
        _note("too deeply nested: cut")
        return None
    if v is None or isinstance(v, bool):
        return v
    if isinstance(v, str):
        return _text(str(v))
    if isinstance(v, int):
        v = int(v)
        if -(2**63) <= v < 2**63:
            return v
        _note("integers beyond 64 bits became text")
        return str(v)
    if isinstance(v, float):
        if math.isfinite(v):
            return float(v)
        _note("NaN and infinity became null")
        return None
    if isinstance(v, dict):
        return {_key(k): _view(x, depth + 1) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [_view(x, depth + 1) for x in v]
    if isinstance(v, (set, frozenset)):
        try:
            v = sorted(v)
        except TypeError:
            v = list(v)
        return [_view(x, depth + 1) for x in v]
    if isinstance(v, complex):
        return [_view(v.real), _view(v.imag)]
    if isinstance(v, (bytes, bytearray)):
        return _text(bytes(v).decode("utf-8", "replace"))
    return _object(v, depth)


def _object(v, depth):
    if hasattr(v, "dtype"):  # numpy and what looks like it
        if getattr(v, "shape", None) == () and hasattr(v, "item"):
            scalar = v.item()
            if type(scalar) is not type(v):
                return _view(scalar, depth + 1)
        if hasattr(v, "tolist") and getattr(v, "size", 0) <= 100000:
            return _view(v.tolist(), depth + 1)
    if hasattr(v, "isoformat"):
        return str(v.isoformat())
    if hasattr(v, "to_dict"):  # pandas
        try:
            return _view(v.to_dict(), depth + 1)
        except Exception:
            pass
    if hasattr(v, "__dataclass_fields__") and not isinstance(v, type):
        return {k: _view(getattr(v, k, None), depth + 1) for k in v.__dataclass_fields__}
    text = _text(repr(v))
    _note("%s is shown as text" % type(v).__name__)
    return text if len(text) <= 1000 else text[:1000] + "…"


def _key(k):
    return _text(k) if isinstance(k, str) else _text(str(k))


def _write(name, data):
    with open(os.path.join(_dir, name), "wb") as f:
        f.write(data)


def _dumps(v):
    return json.dumps(v, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _save(v):
    path = os.environ["LATTICED_RESULT"]
    if v is None:
        return
    if _exact(v):
        _write(path, _dumps(v))
        return
    import pickle

    try:
        view = _view(v)
        data = _dumps(view)
    except RecursionError:
        _note("the result refers to itself and has no JSON form")
        data = b"null"
    if len(data) > 1 << 20:
        _note("the JSON view of the result would be %d bytes and was left out" % len(data))
        data = b"null"
    try:
        # Protocol 4 is read by every python 3 that is still in use.
        _write(".result.pickle", pickle.dumps(v, protocol=4))
        _note("the result is no plain JSON (%s): kept as a pickle with a JSON view" % type(v).__name__)
    except Exception as e:
        _note("the result (%s) can't be pickled (%s): only its JSON view is kept" % (type(v).__name__, e))
    _write(path, data)


def _arguments():
    args = {}
    path = os.environ.get("LATTICED_ARGS")
    if path:
        with open(path, encoding="utf-8") as f:
            args = json.load(f)
    for name in sorted(os.listdir(".")):
        if name.startswith(".arg-") and name.endswith(".pickle"):
            import pickle

            with open(name, "rb") as f:
                args[name[5:-7]] = pickle.load(f)
    return args


def _load(path):
    import importlib.util

    name = "electron" if path == ".main.py" else os.path.splitext(os.path.basename(path))[0]
    file = os.path.join(_dir, path)
    package = os.path.dirname(path)
    if package:
        parts = package.split("/") + [name]
        if all(p.isidentifier() for p in parts):
            return importlib.import_module(".".join(parts))
    module = sys.modules.get(name)
    if module is not None:
        if getattr(module, "__file__", None) == file:  # a pickled argument needed it
            return module
        name = "electron_" + name  # called like one of the library's
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None:
        raise ImportError("%s is no python file" % path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _resolve(module, dotted, path):
    target = module
    for part in dotted.split("."):
        if not hasattr(target, part):
            raise AttributeError("%s defines no %s" % ("the block" if path == ".main.py" else path, dotted))
        target = getattr(target, part)
    return target


def _run(path, function):
    call = _resolve(_load(path), function, path)
    value = call(**_arguments())
    if hasattr(value, "__await__") and type(value).__name__ == "coroutine":
        import asyncio

        value = asyncio.run(value)
    _save(value)


def _report(error=None):
    if error is not None or _notes:
        _write(".report", _dumps({"error": error, "notes": _notes}))


def _main():
    sys.path.insert(0, _dir)
    sys.argv = sys.argv[1:2]
    try:
        _run(*_target)
    except Exception as e:
        tb = e.__traceback__
        while tb is not None and tb.tb_frame.f_code.co_filename == __file__:
            tb = tb.tb_next  # how the shim came there helps nobody
        sys.stdout.flush()
        traceback.print_exception(type(e), e, tb)
        lines = traceback.format_exception_only(type(e), e)
        named = [x for x in lines if type(e).__name__ in x.split(":")[0]]
        _report(_text((named or lines)[-1].strip())[:2000])
        return 1
    _report()
    return 0


_target = sys.argv[1:3]
if __name__ == "__main__":
    sys.exit(_main())
