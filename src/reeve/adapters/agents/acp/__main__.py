"""Run the driver: ``python -I -S -B <this file> SPEC.json WORK OUT MAIL -- COMMAND...``."""

import sys

if __name__ == "__main__":
    above, _, name = __file__.rpartition("/")[0].rpartition("/")
    sys.path.append(above)  # last: nothing beside this folder takes the place of a module of the library
    sys.exit(__import__(f"{name}.drive", fromlist=["main"]).main(sys.argv[1:]))
