"""reeve's own agent loop over any model that pydantic-ai speaks to.

It runs inside the attempt's sandbox under reeve's own interpreter, with reeve's installed packages mounted, and imports
nothing of reeve. Its way out is the door alone; what it prints is the trajectory.
"""
