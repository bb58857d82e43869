import sys,time,resource
sys.path[:0]=["/work/main/.venv/lib/python3.11/site-packages","/tmp/rooms/model/src/reeve/adapters/agents"]
t0=time.process_time()
import warnings; warnings.simplefilter("ignore")
import model.cli
t1=time.process_time()
from model.providers import client, model_of
from model.spec import Target
import asyncio
async def f():
    async with client() as c:
        model_of(Target(form="google",name="x",api="openai",url="http://127.0.0.1:1",token="t"),c)
asyncio.run(f())
t2=time.process_time()
print("google","cli",round(t1-t0,2),"provider",round(t2-t1,2),"MB",resource.getrusage(resource.RUSAGE_SELF).ru_maxrss>>10, "modules", len(sys.modules))
