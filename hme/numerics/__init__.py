"""Mathematics as functions of arrays: kernels, penalties, constraints, links, derivatives. Nothing of hme above it."""
