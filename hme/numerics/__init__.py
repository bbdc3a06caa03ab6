"""Mathematics as functions of arrays: kernels, penalties, constraints, links, derivatives. Imports nothing of hme."""
