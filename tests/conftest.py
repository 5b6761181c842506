"""What holds for all tests."""

from hypothesis import settings

# A drawn example that takes long says that the machine is busy. What must be quick has a test that says how quick.
settings.register_profile("paravent", deadline=None)
settings.load_profile("paravent")
