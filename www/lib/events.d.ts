/** `addEventListener` of an element with events of its own, which lists them by name. */
export interface Listen<Element, Events> {
  <K extends keyof Events>(
    type: K,
    listener: (this: Element, event: Events[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  (type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}
