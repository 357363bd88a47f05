// Types of the elements and dialogs that the pages' scripts make.
declare namespace Page {
  /** What an element can contain; nothing is shown for null, undefined, false and an empty text. */
  type Item = Node | string | number | false | null | undefined;
  type Child = Item | readonly Item[];
  /** The value of an attribute; null, undefined and false leave it out, and true makes it empty. */
  type Value = string | number | boolean | null | undefined;

  type Listeners<T> = {
    [N in keyof HTMLElementEventMap as `on${N}`]?: (event: HTMLElementEventMap[N] & { currentTarget: T }) => unknown;
  };
  type Properties<T> = {
    [N in keyof T as N extends `on${string}` ? never : T[N] extends Value ? N : never]?: T[N] | null | false;
  };
  type Attributes = { class?: string; [attribute: `data-${string}` | `aria-${string}`]: Value };
  /** Listeners, properties and attributes of each kind of element. */
  type Props = {
    [K in keyof HTMLElementTagNameMap]: Listeners<HTMLElementTagNameMap[K]> & Properties<HTMLElementTagNameMap[K]> & Attributes;
  };

  /** The filter of the page of deliveries; an empty member does not filter. */
  type DeliveryFilter = { endpoint: string; jobId: string; from: string; to: string; status: Api.DeliveryStatus | "" };

  /** A question before an action; `danger` marks one that can't be undone, and `more` follows the text. */
  type Question = { title: string; text: string; yes: string; danger?: boolean; more?: Child };
}
