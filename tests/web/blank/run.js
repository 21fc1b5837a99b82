// With ?run: classifies one sample and says in the title how.
if (location.search === '?run') {
  try {
    const { load } = await import('/lib/index.js');
    const net = await load();
    const { top } = await net.classify('/samples/cat.jpg');
    document.title = `${top[0].label}, ${net.info.worker ? 'worker' : 'in place'}`;
  } catch (error) {
    document.title = `${error.code}: ${error.message}`;
  }
}
