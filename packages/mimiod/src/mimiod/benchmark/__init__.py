"""`mimiod bench`: the seeding engine beside other generators, beside the driver and beside the server."""
