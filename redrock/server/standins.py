from redrock.interfaces import *


class NoColdRows(ColdRows):
    def drop_store(self, store_id: int) -> None:
        pass


class NoSink(StreamSink):
    pass


class NoLoader(ColdLoader):
    pass


class NoMemoryLimit(MemoryGate):
    pass


class HealthyDisk(DiskHealth):
    pass


class NoFollowers(FollowerHealth):
    pass
