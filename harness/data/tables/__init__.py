"""Tables of events in the formats of others, read in bounded memory: CSV, Parquet, npy, npz, HDF5.

`opening` chooses the reader; `columns` says which columns are which features of which object.
"""
